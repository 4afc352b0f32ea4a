import { MAX_ATTEMPTS, type Failure } from "./failure.ts";
import type { Ledger } from "./attempt-ledger.ts";
import { OTHER_WRITER, type Reading } from "../dovecot/reading.ts";

/**
 * What a line, which ends at `position`, adds to the ledger; undefined: nothing that
 * was not counted before.
 */
export function countLine(
  reading: Reading,
  ledger: Ledger,
  source: string,
  receivedAt: number,
  position = 0,
): Failure | undefined {
  const { stage, address, user, service, session, form, at = receivedAt } = reading;
  // What another program wrote says nothing of Dovecot's attempts.
  if (form === OTHER_WRITER) return undefined;
  if (stage === undefined && !reading.isUnrecognized && !reading.isProxied) return undefined;
  const attempts = ledger.count(reading, source, at, receivedAt);
  if (attempts === 0 || address === undefined) return undefined;
  // All of one shape, whatever the line tells: that makes them cheap.
  return {
    address,
    at,
    attempts: Math.min(attempts, MAX_ATTEMPTS),
    form: form ?? "unknown",
    user,
    service,
    session,
    position,
    hold: ledger.hold,
  };
}
