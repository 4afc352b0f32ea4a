/** Answers of registries, by network: one answer holds for an attacker's neighbours, too. */
import { wordsOf, parseAddress, type Address } from "../../../wire/address.ts";
import type { AddressFacts } from "./address-facts.ts";

export interface KnownNetworks {
  /** undefined: nobody was asked about the address lately. */
  of(address: Address): AddressFacts | undefined;
  /** Holds for the network that `facts` name, otherwise for the address alone. */
  add(address: Address, facts: AddressFacts): void;
}

interface Known {
  first: bigint;
  last: bigint;
  isIpv6: boolean;
  facts: AddressFacts;
  until: number;
}

const KNOWN_MS = 86_400_000;
/** A registry that did not answer is asked again. */
const UNKNOWN_MS = 600_000;
const MOST = 2_000;

export function createKnownNetworks(now: () => number): KnownNetworks {
  let known: Known[] = [];
  return {
    of(address) {
      const at = numberOf(address);
      const isIpv6 = address.includes(":");
      known = known.filter(({ until }) => until > now());
      return known.find((each) => each.isIpv6 === isIpv6 && each.first <= at && at <= each.last)
        ?.facts;
    },
    add(address, facts) {
      const { first, last } = rangeOf(address, facts.network);
      const isKnown = Object.keys(facts).length > 0;
      const until = now() + (isKnown ? KNOWN_MS : UNKNOWN_MS);
      known.push({ first, last, isIpv6: address.includes(":"), facts, until });
      if (known.length > MOST) known.shift();
    },
  };
}

/** "192.0.2.0 - 192.0.2.255", if it holds the address and is no more than a registry gives away. */
function rangeOf(address: Address, network = ""): { first: bigint; last: bigint } {
  const at = numberOf(address);
  const [first, last] = network.split(/\s*-\s*/).map((text) => parseAddress(text));
  if (first === undefined || last === undefined) return { first: at, last: at };
  const range = { first: numberOf(first), last: numberOf(last) };
  const isOfFamily = first.includes(":") === address.includes(":");
  const widest = address.includes(":") ? 1n << 108n : 1n << 24n;
  const isPlausible = range.first <= at && at <= range.last && range.last - range.first < widest;
  return isOfFamily && isPlausible ? range : { first: at, last: at };
}

function numberOf(address: Address): bigint {
  return wordsOf(address).reduce((number, word) => (number << 16n) | BigInt(word), 0n);
}
