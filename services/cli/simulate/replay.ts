/** What a policy would have done to the failures of a log: who is banned when, and what that prevents. */
import { createWindows, type Windows } from "../../policy/sliding-window.ts";
import { countedAs } from "../../policy/counted-network.ts";
import type { Address } from "../../wire/address.ts";

export interface SimulatedPolicy {
  maxretry: number;
  /** Seconds. */
  findtime: number;
  /** Seconds; null: for ever. */
  bantime: number | null;
  ipv4_prefix: number;
  ipv6_prefix: number;
  /** fleet: all hosts count together and ban together; alone: each for itself. */
  scope: "fleet" | "alone";
}

export interface SimulatedBan {
  /** The address, or its network where addresses count by networks. */
  address: Address;
  /** Epoch milliseconds. */
  at: number;
  until: number | null;
  /** Whose counts brought it. */
  hosts: ReadonlyMap<string, number>;
  /** Of a network: whose failures brought it. */
  addresses?: ReadonlyMap<Address, number>;
}

export interface Replay {
  readonly policy: SimulatedPolicy;
  /** Failures in the order of their time. */
  fail(host: string, address: Address, at: number, attempts: number): void;
  readonly bans: readonly SimulatedBan[];
  /** Attempts that were made on a host while it would have had the address banned. */
  prevented(): number;
}

/** The name of what counts for all hosts. */
const EVERY_HOST = "";

export function createReplay(policy: SimulatedPolicy): Replay {
  const { maxretry, findtime, bantime, scope } = policy;
  const counters = new Map<string, { windows: Windows; bannedUntil: Map<Address, number> }>();
  const bans: SimulatedBan[] = [];
  let prevented = 0;

  function counterOf(host: string) {
    const known = counters.get(host);
    if (known) return known;
    const windows = createWindows({ maxretry, findtime: findtime * 1000 });
    const made = { windows, bannedUntil: new Map<Address, number>() };
    counters.set(host, made);
    return made;
  }

  return {
    policy,
    bans,
    fail(host, address, at, attempts) {
      const { windows, bannedUntil } = counterOf(scope === "fleet" ? EVERY_HOST : host);
      const counted = countedAs(address, policy);
      if (at < (bannedUntil.get(counted) ?? -Infinity)) {
        prevented += attempts; // they would not have been made: they count for nothing
        return;
      }
      const [offence] = windows.add(counted, host, { address, at, attempts });
      if (!offence) return;
      const until = bantime === null ? null : offence.at + bantime * 1000;
      const { hosts, addresses } = offence;
      bans.push({
        address: counted,
        at: offence.at,
        until,
        hosts,
        ...(addresses && { addresses }),
      });
      bannedUntil.set(counted, until ?? Infinity);
    },
    prevented: () => prevented,
  };
}
