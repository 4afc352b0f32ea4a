/**
 * Where the bans of a network stand among sorted keys. A key ends with the address as a token
 * (`addressToken`), and tokens of a network begin alike: those of 10.1.0.0/16 begin with "10-1-". So
 * the order of the keys finds the bans of a network, and needs no memory of its own.
 */
import { familyOf, prefixOf, wordsOf, type Address } from "../../wire/address.ts";

/** A network whose tokens begin in more ways is looked for in a network around it. */
const MOST_BEGINNINGS = 256;

interface Spelling {
  groups: readonly number[];
  /** Bits of a group. */
  width: 8 | 16;
  spell: (group: number) => string;
  /** Are groups of zeros left out? "2001-db8--1" is 2001:db8::1. */
  isShortened: boolean;
}

/**
 * No token of an address or network within `network` begins in another way, and none begins in two
 * of these. Tokens of other addresses may begin so, too.
 */
export function tokenPrefixesOf(network: Address): string[] {
  const { groups, width, spell, isShortened } = spellingOf(network);
  const prefixes: string[] = [];
  let path = "";
  let bits = prefixOf(network);
  // Nothing stands behind the last group, so it begins no other token.
  for (const group of groups.slice(0, -1)) {
    const values = 2 ** Math.max(width - bits, 0);
    if (values > MOST_BEGINNINGS) break;
    if (isShortened && group === 0) prefixes.push(`${path}-`);
    if (values > 1) {
      const all = Array.from({ length: values }, (_, index) => `${path}${spell(group + index)}-`);
      return [...prefixes, ...all];
    }
    path += `${spell(group)}-`;
    bits -= width;
  }
  return [...prefixes, path];
}

function spellingOf(network: Address): Spelling {
  const words = wordsOf(network);
  if (familyOf(network) === 6) {
    return { groups: words, width: 16, spell: (word) => word.toString(16), isShortened: true };
  }
  const bytes = words.flatMap((word) => [word >> 8, word & 255]);
  return { groups: bytes, width: 8, spell: String, isShortened: false };
}
