import type { Child } from "../../services/standalone/child.ts";

/** A program that a test may kill and start again as it was. */
export interface Restartable {
  child(): Child;
  /** SIGKILL unless told otherwise. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** What it has logged since the beginning. */
  log(): string;
}

/** `ordinarySignal` ends it as a crash would. */
export async function restartable(
  start: (onOutput: (chunk: Buffer) => void) => Promise<Child>,
  ordinarySignal: NodeJS.Signals = "SIGKILL",
): Promise<Restartable> {
  let log = "";
  const onOutput = (chunk: Buffer) => (log += chunk.toString());
  let child = await start(onOutput);
  return {
    child: () => child,
    stop: (signal = ordinarySignal) => child.stop(signal),
    async start() {
      child = await start(onOutput);
    },
    log: () => log,
  };
}
