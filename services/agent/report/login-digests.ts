/**
 * Publishes digests of successful logins, at most one a minute, while a jail has `knownGood`. The
 * first login after a quiet time is reported within a second.
 *
 * A digest that NATS does not store is sent again with the next one. Failures never wait for it.
 */
import { encodeLoginDigest, MAX_LOGINS } from "../../wire/logins.ts";
import { loginsSubject } from "../../wire/subjects.ts";
import type { SeenLogins } from "../seen-logins.ts";

export interface LoginDigests {
  stop(): void;
}

export interface LoginDigestsOptions {
  host: string;
  logins: Pick<SeenLogins, "due" | "reported" | "forgetReports" | "onDue">;
  /** Resolves with the message's sequence in the stream when the message is stored. */
  publish: (subject: string, bytes: Uint8Array) => Promise<{ seq: number }>;
  /** Of one message, as the server takes them; undefined: not known. */
  maxBytes: () => number | undefined;
  now: () => number;
  onStored: () => void;
  /** A digest was not stored, and is sent again. */
  onTrouble: (error: unknown) => void;
  /** Calls `work` after `ms` milliseconds; returns a function that prevents that. For tests. */
  later?: (work: () => void, ms: number) => () => void;
}

const EVERY_MS = 60_000;
const GATHER_MS = 1_000;
/** One login with the longest address, and its place in the message. */
const LOGIN_BYTES = 64;

type State =
  | { phase: "idle" } // No login is due.
  | { phase: "waiting"; cancel: () => void } // More logins may come to the first one.
  | { phase: "sending" }
  | { phase: "stopped" };

export function startLoginDigests(options: LoginDigestsOptions): LoginDigests {
  const { host, logins, publish, maxBytes, now, later = afterTimeout } = options;
  let sentAt = -Infinity;
  let lastSequence = 0;
  let state: State = { phase: "idle" };

  function schedule(): void {
    if (state.phase !== "idle") return;
    const pauseMs = Math.max(GATHER_MS, sentAt + EVERY_MS - now());
    state = { phase: "waiting", cancel: later(() => void send(), pauseMs) };
  }

  async function send(): Promise<void> {
    state = { phase: "sending" };
    sentAt = now();
    const most = Math.floor((maxBytes() ?? Infinity) / LOGIN_BYTES) - 1;
    const due = logins.due(Math.max(1, Math.min(MAX_LOGINS, most)));
    if (due.length > 0) await store(due);
    if (isStopped()) return;
    state = { phase: "idle" };
    if (logins.due(1).length > 0) schedule();
  }

  async function store(due: ReturnType<SeenLogins["due"]>): Promise<void> {
    const digest = {
      ...{ v: 1 as const, host },
      logins: due.map(({ address, at }) => ({ address, ago: Math.round((sentAt - at) / 1000) })),
    };
    try {
      const { seq } = await publish(loginsSubject(host), encodeLoginDigest(digest));
      const isNewStream = seq <= lastSequence;
      lastSequence = seq;
      // NATS has lost what this host has reported before.
      if (isNewStream) logins.forgetReports();
      logins.reported(due);
      options.onStored();
    } catch (error) {
      options.onTrouble(error);
    }
  }

  const isStopped = () => state.phase === "stopped";

  logins.onDue(schedule);
  return {
    stop() {
      if (state.phase === "waiting") state.cancel();
      state = { phase: "stopped" };
    },
  };
}

function afterTimeout(work: () => void, ms: number): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
