/** Lets others see each failure as it is counted; while nobody looks it costs nothing. */
import type { Failure } from "../../wire/failure.ts";

export interface SeenFailure {
  jail: string;
  host: string;
  failure: Failure;
  /** Of its message in the stream. */
  sequence: number;
}

export interface FailureWatcher {
  /** Does it want to see failures now? */
  isWatching(): boolean;
  note(seen: SeenFailure): void;
}

/** Each of `watchers` sees every failure; those that do not watch ignore it. */
export const watchFailures = (watchers: readonly FailureWatcher[]): FailureWatcher => ({
  isWatching: () => watchers.some((watcher) => watcher.isWatching()),
  note(seen) {
    for (const watcher of watchers) watcher.note(seen);
  },
});
