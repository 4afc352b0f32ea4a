/** What a policy would have done to the failures of a log: who is banned when, and what that prevents. */
import { createWindows, type Windows } from "../../policy/sliding-window.ts";
import type { Address } from "../../wire/address.ts";

export interface SimulatedPolicy {
  maxretry: number;
  /** Seconds. */
  findtime: number;
  /** Seconds; null: for ever. */
  bantime: number | null;
  /** fleet: all hosts count together and ban together; alone: each for itself. */
  scope: "fleet" | "alone";
}

export interface SimulatedBan {
  address: Address;
  /** Epoch milliseconds. */
  at: number;
  until: number | null;
  /** Whose counts brought it. */
  hosts: ReadonlyMap<string, number>;
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
      if (at < (bannedUntil.get(address) ?? -Infinity)) {
        prevented += attempts; // they would not have been made: they count for nothing
        return;
      }
      const [offence] = windows.add(address, host, at, attempts);
      if (!offence) return;
      const until = bantime === null ? null : offence.at + bantime * 1000;
      bans.push({ address, at: offence.at, until, hosts: offence.hosts });
      bannedUntil.set(address, until ?? Infinity);
    },
    prevented: () => prevented,
  };
}
