/**
 * The users that Dovecot let in a moment ago. An agent that reads several logs one after another may
 * read a success before PAM's line about the same attempt, which stands in the other log.
 */
import type { Address } from "../../wire/address.ts";
import { detached } from "../lines/detached.ts";
import { dropOldest } from "./bounded-map.ts";
import { isSamePerson } from "./same-user.ts";
import { PAM_ACCEPTED_WITHIN_MS, type PamLine, type Success } from "./attempts-by-address.ts";

export interface Successes {
  add(success: Success): void;
  /** Was what this line refuses let in afterwards? Each success answers once for every teller. */
  follows(line: Omit<PamLine, "isUnknownHere">): boolean;
  forget(before: number): void;
}

const MAX_OF_ADDRESS = 16;
const MAX_ADDRESSES = 20_000;

export function createSuccesses(): Successes {
  const addresses = new Map<Address, (Success & { tellers: string[] })[]>();
  return {
    add({ address, user, at }) {
      const own = addresses.get(address) ?? [];
      const kept = detached(address) as Address;
      if (own.length === 0) {
        if (addresses.size >= MAX_ADDRESSES) dropOldest(addresses);
        addresses.set(kept, own);
      }
      if (own.length >= MAX_OF_ADDRESS) own.shift();
      own.push({ address: kept, user: detached(user), at, tellers: [] });
    },
    follows({ address, user, at, source, module }) {
      const teller = `${source} ${module}`;
      const found = addresses.get(address)?.find((each) => {
        const isSoon = each.at >= at && each.at - at <= PAM_ACCEPTED_WITHIN_MS;
        return isSoon && !each.tellers.includes(teller) && isSamePerson(each.user, user);
      });
      found?.tellers.push(teller);
      return found !== undefined;
    },
    forget(before) {
      for (const [address, own] of addresses) {
        if ((own.at(-1)?.at ?? 0) < before) addresses.delete(address);
      }
    },
  };
}
