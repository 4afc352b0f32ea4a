/**
 * Addresses that this host never bans, whatever the coordinator says: a ban on them would cut
 * it off from itself, from its coordinator or from its administrator.
 */
import { addressesOfServer, ownAddresses } from "../../nats/server-addresses.ts";
import { overlaps, parseNetwork, type Address } from "../../wire/address.ts";

export interface NeverBan {
  /** Why `address` must not be banned; undefined: it may be. */
  reason(address: Address): string | undefined;
  /** This host's own addresses. */
  own(): Address[];
  /** Looks again for own addresses and those of NATS's servers. */
  refresh(servers: readonly string[]): Promise<void>;
}

const LOOPBACK: readonly Address[] = ["127.0.0.0/8", "::1"].flatMap(
  (text) => parseNetwork(text) ?? [],
);

export function createNeverBan(ignoreip: readonly Address[]): NeverBan {
  let own = ownAddresses();
  let servers: Address[] = [];

  return {
    reason(address) {
      const among = (list: readonly Address[]) => list.find((each) => overlaps(each, address));
      if (among(LOOPBACK)) return "is loopback";
      const mine = among(own);
      if (mine) return mine === address ? "is this host's own" : `holds this host's own ${mine}`;
      const server = among(servers);
      if (server) return `is or holds the NATS server ${server}`;
      const ignored = among(ignoreip);
      return ignored && `is in ignoreip (${ignored})`;
    },
    own: () => own,
    async refresh(hosts) {
      own = ownAddresses();
      const found = await Promise.all(hosts.map(addressesOfServer));
      // A name that cannot be looked up right now keeps the addresses it had.
      if (found.every((addresses) => addresses.length > 0)) servers = found.flat();
      else servers = [...new Set([...servers, ...found.flat()])];
    },
  };
}
