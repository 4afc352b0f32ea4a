/**
 * Tries again until the work succeeds, and logs every new reason once.
 *
 * Invariants:
 * - Every pause is twice as long as the pause before, up to the longest.
 * - Two failures in a row with the same reason bring one complaint.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface Pauses {
  firstMs: number;
  longestMs: number;
}

export interface Complaint {
  /**
   * Complains, unless the failure before had the same reason. `kind` stands for the reason where
   * its text differs each time, because the text names the time of day for example.
   */
  failed(reason: string, kind?: string): void;
  /** The work has succeeded: the next failure is news, whatever its reason. */
  over(): void;
}

export function createComplaint(complain: (reason: string) => void): Complaint {
  let last: string | undefined;
  return {
    failed(reason, kind = reason) {
      const isNews = last !== kind;
      last = kind;
      if (isNews) complain(reason);
    },
    over() {
      last = undefined;
    },
  };
}

export interface RetryOptions {
  pauses: Pauses;
  signal: AbortSignal;
  onFailed: (error: unknown) => void;
  /** Waits, at most until `signal` says so; for tests. */
  pause?: (pauseMs: number, signal: AbortSignal) => Promise<void>;
}

/** What the work knows about the tries before this one. */
export interface Tries {
  /** Tries in a row that have failed. */
  readonly failures: number;
  /** The work has come on: if this try fails, the pause after it is the first one again. */
  progressed(): void;
}

/** Returns what the work returns; undefined: `signal` has ended the tries first. */
export async function retry<T>(
  work: (tries: Tries) => Promise<T>,
  { pauses, signal, onFailed, pause = sleepUntil }: RetryOptions,
): Promise<T | undefined> {
  let failures = 0;
  const progressed = () => {
    failures = 0;
  };
  const isEnded = () => signal.aborted;
  while (!isEnded()) {
    try {
      return await work({ failures, progressed });
    } catch (error) {
      if (isEnded()) return undefined;
      onFailed(error);
      const pauseMs = Math.min(pauses.firstMs * 2 ** failures, pauses.longestMs);
      failures += 1;
      await pause(pauseMs, signal);
    }
  }
  return undefined;
}

async function sleepUntil(pauseMs: number, signal: AbortSignal): Promise<void> {
  await sleep(pauseMs, undefined, { signal }).catch(() => {});
}
