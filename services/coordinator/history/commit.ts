/**
 * Commits messages to PostgreSQL, and tries again until PostgreSQL takes them.
 *
 * One message that PostgreSQL refuses must not keep all the others from being recorded. So messages
 * that are refused, or that take too long, are committed in halves, and a single message that is
 * still refused is logged and left out.
 */
import { HistoryRefused, HistoryStalled, HistoryUnavailable } from "./database.ts";

/** A message of a stream that is to be recorded. */
export interface Recordable<T> {
  subject: string;
  /** Decodes the message at the first call; undefined: there is nothing to record. */
  value: () => T | undefined;
}

export interface CommitOptions<T> {
  /** Commits; may be repeated. Throws HistoryUnavailable to be called again later. */
  record: (values: readonly T[]) => Promise<void>;
  isRunning: () => boolean;
  /** PostgreSQL is there, but takes too long. */
  onStalled: (reason: string) => void;
  /** The message is left out. */
  onLeftOut: (subject: string, reason: string) => void;
  /** Waits before the next try. */
  pause: () => Promise<void>;
}

/** After this many refusals in a row PostgreSQL was not away for one moment only. */
const REFUSALS = 2;

/** Returns whether all messages are recorded; false: this coordinator no longer records. */
export async function commit<T>(
  messages: readonly Recordable<T>[],
  options: CommitOptions<T>,
): Promise<boolean> {
  const values = messages.flatMap(({ value }) => value() ?? []);
  let refusals = 0;
  while (options.isRunning()) {
    try {
      if (values.length > 0) await options.record(values);
      return true;
    } catch (error) {
      if (!(error instanceof HistoryUnavailable)) throw error;
      if (error instanceof HistoryStalled) options.onStalled(error.message);
      const isThere = error instanceof HistoryStalled || error instanceof HistoryRefused;
      if (isThere) refusals += 1;
      if (refusals > REFUSALS && messages.length > 1) return commitHalves(messages, options);
      if (refusals > REFUSALS && error instanceof HistoryRefused) {
        for (const { subject } of messages) options.onLeftOut(subject, error.message);
        return true;
      }
    }
    await options.pause();
  }
  return false;
}

async function commitHalves<T>(
  messages: readonly Recordable<T>[],
  options: CommitOptions<T>,
): Promise<boolean> {
  const middle = messages.length >> 1;
  const isFirstHalfRecorded = await commit(messages.slice(0, middle), options);
  return isFirstHalfRecorded && (await commit(messages.slice(middle), options));
}
