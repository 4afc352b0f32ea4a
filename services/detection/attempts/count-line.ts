import type { Address } from "../../wire/address.ts";
import { detached } from "../lines/detached.ts";
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
  const { stage, form, at = receivedAt } = reading;
  // What another program wrote says nothing of Dovecot's attempts.
  if (form === OTHER_WRITER) return undefined;
  if (stage === undefined && !reading.isUnrecognized && !reading.isProxied) return undefined;
  // Of a login the ledger keeps nothing, unless there are several logs.
  if (reading.verdict !== "success") detach(reading);
  const { address, user, service, session } = reading;
  const counted = ledger.count(reading, source, at, receivedAt);
  if (counted === undefined || address === undefined) return undefined;
  // All of one shape, whatever the line tells: that makes them cheap.
  return {
    address,
    at,
    attempts: Math.min(counted.attempts, MAX_ATTEMPTS),
    form: form ?? "unknown",
    user,
    service,
    session,
    position,
    provisional: counted.provisional,
  };
}

/** The ledger and the failure keep these texts for minutes. */
function detach(reading: Reading): void {
  const { address, user, service, session, refusedBy } = reading;
  if (address !== undefined) reading.address = detached(address) as Address;
  if (user !== undefined) reading.user = detached(user);
  if (service !== undefined) reading.service = detached(service);
  if (session !== undefined) reading.session = detached(session);
  if (refusedBy !== undefined) reading.refusedBy = detached(refusedBy);
}
