/** Answers that only PostgreSQL has. */
import { HistoryUnavailable } from "../history/history.ts";
import { describeUnanswered } from "../history/stale-answers.ts";
import { ApiError } from "./api-server.ts";

/** Throws an ApiError that says why PostgreSQL cannot be asked. */
export async function fromRecord<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof HistoryUnavailable)) throw error;
    throw new ApiError(503, describeUnanswered(error), { cause: error });
  }
}
