/** Where log lines come from: what the agent reads, and where in it it stands. */
import { randomBytes } from "node:crypto";

export interface Source<B> {
  /** Begins to read. Until then it only knows where it stands, for that to be written down. */
  start(): void;
  /** undefined: it is not known yet where to begin. */
  bookmark(): B | undefined;
  state(): "reading" | "waiting" | "failed";
  /** Why it cannot be read, and what to do about it where that is known. */
  trouble(): string | undefined;
  /** Bytes that are written and were not handed out yet, as far as that can be told. */
  lag(): number;
  stop(): void;
}

/** Whole lines that were read. */
export interface Chunk {
  lines: Buffer;
  /** Their positions in the epoch. */
  from: number;
  to: number;
  epoch: string;
  /** Were they written just now, as far as the reader can tell? */
  isFresh: boolean;
}

export interface SourceOptions<B> {
  /** Where a first start begins. */
  startAt: "end" | "beginning";
  bookmark: B | undefined;
  /** Nothing more is read until the promise that it returns resolves. */
  onLines: (chunk: Chunk) => Promise<void> | undefined;
  onOverlong: () => void;
  /** Lines were lost, because of this. */
  onGap: (reason: string) => void;
  /** It cannot be read, because of this; said once until it can be. */
  onFailed: (reason: string) => void;
  say: (what: string, facts?: object) => void;
}

/** Positions of one epoch are told apart from those of any other. */
export function newEpoch(): string {
  return randomBytes(6).toString("hex");
}
