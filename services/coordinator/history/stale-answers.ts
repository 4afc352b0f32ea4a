/**
 * What is said where PostgreSQL cannot be asked: beside answers that may be incomplete, and instead of
 * answers that only PostgreSQL has.
 */
import { reasonOf } from "../../process/reason.ts";
import { HistoryStalled } from "./database.ts";
import type { History } from "./history.ts";

/** The longest reason that a reply carries. */
const MAX_STALE = 500;

/** Answers from the history; when it cannot be reached, `fallback` and why it is stale. */
export async function fromHistory<T>(
  ask: () => Promise<T>,
  fallback: T,
): Promise<{ value: T; stale: string | null }> {
  try {
    return { value: await ask(), stale: null };
  } catch (error) {
    return { value: fallback, stale: describeAway(error).slice(0, MAX_STALE) };
  }
}

/** Why an answer of the history may lack what is newest; null: it does not. */
export function staleRecord({ history }: { history: Pick<History, "stalled"> }): string | null {
  const reason = history.stalled();
  return reason === undefined
    ? null
    : `PostgreSQL records nothing now: ${reason}`.slice(0, MAX_STALE);
}

/** What is away, what goes on without it, and what to do. */
export function describeUnanswered(error: unknown): string {
  const away = `${describeAway(error)}: bans and commands go on, and are recorded later`;
  return error instanceof HistoryStalled ? away : `${away}; start PostgreSQL, then ask again`;
}

/** "PostgreSQL cannot be asked (db.example.org:5432: cannot be reached)". */
const describeAway = (error: unknown): string => `PostgreSQL cannot be asked (${reasonOf(error)})`;
