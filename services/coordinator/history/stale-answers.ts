/** Marks answers that may be incomplete: PostgreSQL cannot be asked, or lacks the newest messages. */
import { reasonOf } from "../../process/reason.ts";
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
    const reason = reasonOf(error);
    return { value: fallback, stale: `PostgreSQL cannot be asked: ${reason}`.slice(0, MAX_STALE) };
  }
}

/** Why an answer of the history may lack what is newest; null: it does not. */
export function staleRecord({ history }: { history: Pick<History, "stalled"> }): string | null {
  const reason = history.stalled();
  return reason === undefined
    ? null
    : `PostgreSQL records nothing now: ${reason}`.slice(0, MAX_STALE);
}
