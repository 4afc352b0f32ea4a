/** Addresses as PostgreSQL spells them. */
import { parseNetwork, type Address } from "../../wire/address.ts";

/** PostgreSQL's spelling of an inet in ours; what it stores was canonical when it was written. */
export function canonical(text: string): Address {
  const address = parseNetwork(text);
  if (address === undefined) throw new Error(`"${text}": not an inet of PostgreSQL`);
  return address;
}
