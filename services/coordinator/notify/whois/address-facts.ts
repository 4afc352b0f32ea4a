/** What is known of an address: where it is, and whose. All text is plain and bounded. */
import { plainLine } from "../message/plain-text.ts";

export interface AddressFacts {
  country?: string;
  /** "AS64496 Example Ltd". */
  asn?: string;
  /** The network that the registry has given to somebody, as the registry spells it. */
  network?: string;
  /** The registry's name for that network. */
  name?: string;
  /** The holder of the network. */
  owner?: string;
  /** Where abuse is reported. */
  abuse?: string;
}

const FIELDS = ["country", "asn", "network", "name", "owner", "abuse"] as const;
const LONGEST = 120;

/** Fields that are no text, or empty, are left out; the earlier source of two goes first. */
export function factsFrom(
  ...sources: readonly Readonly<Partial<Record<keyof AddressFacts, unknown>>>[]
): AddressFacts {
  const facts: AddressFacts = {};
  for (const source of sources) {
    for (const field of FIELDS) {
      const value = source[field];
      if (facts[field] !== undefined || typeof value !== "string") continue;
      const text = plainLine(value, LONGEST);
      if (text !== "") facts[field] = text;
    }
  }
  return facts;
}

/** All of it in one line; undefined: nothing is known. */
export function lineOfFacts(facts: AddressFacts | undefined): string | undefined {
  const { country, asn, network, name, owner, abuse } = facts ?? {};
  const parts = [country, asn, network, name, owner, abuse && `abuse: ${abuse}`];
  const known = parts.filter((part) => part !== undefined && part !== "");
  return known.length === 0 ? undefined : known.join(", ");
}
