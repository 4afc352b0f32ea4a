/**
 * Looks up what is known of the addresses of a message: in the operator's databases, then by RDAP,
 * then by whois. Never throws, and takes a bounded time whatever a registry answers.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "../../../wire/address.ts";
import type { Delivery } from "../digest.ts";
import type { FactsOf } from "../message/event-text.ts";
import type { WhoisConfig } from "../notify-config.ts";
import { factsFrom, type AddressFacts } from "./address-facts.ts";
import { openDatabases, type LookUpInDatabases } from "./databases.ts";
import { createKnownNetworks } from "./known-networks.ts";
import { askRdap } from "./rdap.ts";
import { rdapServerOf } from "./registries.ts";
import { askWhois, parseWhoisServer } from "./whois-client.ts";

export interface AddressBook {
  /** What the operator's databases say; undefined: there are none. */
  inDatabases: LookUpInDatabases | undefined;
  lookUp(delivery: Delivery): Promise<FactsOf>;
}

export interface AddressBookOptions {
  folder: string;
  /** A database cannot be used. */
  fault: (option: string, reason: string) => void;
  now: () => number;
  limits?: Limits;
}

interface Limits {
  /** How long one server may take. */
  serverMs: number;
  /** How long all servers may take for one message. What is not known by then is left out. */
  messageMs: number;
  /** A server is asked at most once in this time. */
  apartMs: number;
}

const LIMITS: Limits = { serverMs: 5_000, messageMs: 20_000, apartMs: 1_000 };

export function openAddressBook(config: WhoisConfig, options: AddressBookOptions): AddressBook {
  const { folder, fault, now, limits = LIMITS } = options;
  const inDatabases = openDatabases({ paths: config.databases, folder, fault });
  const known = createKnownNetworks(now);
  const turnAt = new Map<string, number>();
  const first = parseWhoisServer(config.server);

  /** Waits until the server may be asked again. */
  async function turn(server: string): Promise<void> {
    const at = Math.max(performance.now(), turnAt.get(server) ?? 0);
    turnAt.set(server, at + limits.apartMs);
    await sleep(at - performance.now());
  }

  async function askRegistries(address: Address): Promise<AddressFacts> {
    const rdap = config.rdap ?? rdapServerOf(address);
    try {
      if (rdap !== undefined) {
        await turn(rdap);
        return await askRdap(rdap, address, limits.serverMs);
      }
    } catch {
      // Whois may have an answer where RDAP has none.
    }
    try {
      return await askWhois(address, { first, withinMs: limits.serverMs, turn });
    } catch {
      return {};
    }
  }

  async function find(address: Address, isOver: () => boolean): Promise<AddressFacts> {
    const local = inDatabases(address);
    if (!config.ask || isOver()) return local;
    let told = known.of(address);
    if (!told) {
      told = await askRegistries(address);
      known.add(address, told);
    }
    return factsFrom(local, told);
  }

  return {
    inDatabases: config.databases.length > 0 ? inDatabases : undefined,
    async lookUp({ events }) {
      const found = new Map<Address, AddressFacts>();
      let isOver = false;
      const looking = (async () => {
        // One after the other: the next address is often of a network that is known by then.
        for (const address of new Set(events.flatMap(({ ban }) => ban?.address ?? []))) {
          found.set(address, await find(address, () => isOver));
        }
      })();
      await Promise.race([looking, sleep(limits.messageMs, undefined, { ref: false })]);
      isOver = true;
      return ({ ban }) => ban && found.get(ban.address);
    },
  };
}
