/** Why PostgreSQL cannot be used, in words that name the setting. */
import { reasonOf } from "../../process/reason.ts";

/** How PostgreSQL's client reports that the server asks for a password and that it was given none. */
const NO_PASSWORD = /SASL: .*client password must be a/;

export function nameMissingPassword(reason: string): string {
  return NO_PASSWORD.test(reason)
    ? "PostgreSQL asks for a password, and database.url has none"
    : reason;
}

/** A name with several addresses fails with an error for each: the first says enough. */
export function whyNotConnected(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return nameMissingPassword(reasonOf(first));
}
