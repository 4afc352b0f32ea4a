import type { Failure } from "./failure.ts";
import type { Ledger } from "./ledger.ts";
import type { ReadLine } from "./read-line.ts";

/** A failure without the place of its line. */
export type CountedFailure = Omit<Failure, "position">;

/** As the wire has it: no line stands for more attempts. */
const MAX_ATTEMPTS = 1000;

/** What a line adds to the ledger; undefined: nothing that was not counted before. */
export function countLine(
  reading: ReadLine,
  ledger: Ledger,
  source: string,
  receivedAt: number,
): CountedFailure | undefined {
  const { stage, address, user, service, session, form, at = receivedAt } = reading;
  if (stage === undefined || address === undefined) return undefined;
  let attempts = 0;
  for (let each = 0; each < Math.min(reading.repeat, MAX_ATTEMPTS); each += 1) {
    attempts += ledger.count(reading, source, at);
  }
  if (attempts === 0) return undefined;
  return {
    address,
    at,
    attempts: Math.min(attempts, MAX_ATTEMPTS),
    ...(user !== undefined && { user }),
    ...(service !== undefined && { service }),
    ...(session !== undefined && { session }),
    form: form ?? "unknown",
  };
}
