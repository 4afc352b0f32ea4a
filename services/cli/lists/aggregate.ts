/** The fewest networks that hold exactly the same addresses. */
import {
  contains,
  familyOf,
  networkOf,
  prefixOf,
  wordsOf,
  type Address,
} from "../../wire/address.ts";

/** In ascending order, IPv4 first. */
export function aggregate(addresses: Iterable<Address>): Address[] {
  const sorted = sortAddresses(addresses);
  const found: Address[] = [];
  for (const address of sorted) {
    const last = found.at(-1);
    if (last !== undefined && contains(last, address)) continue;
    found.push(address);
    for (let joined = joinLastTwo(found); joined; joined = joinLastTwo(found)) {
      found.splice(-2, 2, joined);
    }
  }
  return found;
}

/** A network comes before what lies within it. */
export function sortAddresses(addresses: Iterable<Address>): Address[] {
  return [...addresses]
    .map((address) => ({ address, words: wordsOf(address), prefix: prefixOf(address) }))
    .sort(
      (a, b) => a.words.length - b.words.length || compare(a.words, b.words) || a.prefix - b.prefix,
    )
    .map(({ address }) => address);
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((word, at) => word !== b[at]);
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}

const parentOf = (address: Address) => networkOf(address, prefixOf(address) - 1);

/** The network whose halves the last two are; undefined: they are not. */
function joinLastTwo(found: readonly Address[]): Address | undefined {
  const [before, last] = found.slice(-2);
  if (before === undefined || last === undefined || prefixOf(last) === 0) return undefined;
  const isSameSize = familyOf(before) === familyOf(last) && prefixOf(before) === prefixOf(last);
  return isSameSize && parentOf(before) === parentOf(last) ? parentOf(last) : undefined;
}
