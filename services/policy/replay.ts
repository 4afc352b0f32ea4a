/**
 * What a policy would have done to failures of the past, of a log or on record: who is banned when,
 * and what that prevents. It decides with the code that the decider uses.
 */
import { banForOffence } from "./ban-lifecycle.ts";
import { createKeptSeconds, memoryOf, type BanMemory } from "./ban-memory.ts";
import { createBannedNetworks, networkAround, type BannedNetworks } from "./banned-networks.ts";
import { countedAs } from "./counted-network.ts";
import { bansLocallyFirst, confirmingOffence } from "./quorum.ts";
import { createLoginMemory } from "./login-memory.ts";
import { findRepeatedBans } from "./repeated-bans.ts";
import { createWindows, type Attempts, type Offence, type Windows } from "./sliding-window.ts";
import type { Address } from "../wire/address.ts";
import { countedUntil, isInForce, type Ban } from "../wire/ban.ts";
import { createHostGroup } from "../wire/host-pattern.ts";
import type { Jail } from "../wire/settings.ts";

export interface SimulatedPolicy {
  jail: Jail;
  /** A jail that counts the bans of the first; undefined: there is none. */
  recidive: Jail | undefined;
  /** Seconds. */
  dbpurgeage: number;
  /** fleet: all hosts count together and ban together; alone: each for itself. */
  scope: "fleet" | "alone";
  /** "today": the fleet has it. "default": a fleet without a file has it. undefined: it is tried. */
  origin?: "today" | "default";
}

export interface SimulatedBan {
  jail: string;
  /** The address, or its network where addresses count by networks. */
  address: Address;
  /** Epoch milliseconds. */
  at: number;
  until: number | null;
  /** How often it was banned, this time included. */
  offence: number;
  reason: string;
  /** The hosts whose failures brought the ban. */
  hosts: ReadonlyMap<string, number>;
  /** Of a network: the addresses whose failures brought the ban. */
  addresses?: ReadonlyMap<Address, number>;
}

export interface Replay {
  readonly policy: SimulatedPolicy;
  /** Somebody has logged in on a host; in the order of their time with the failures. */
  login(host: string, address: Address, at: number): void;
  /** Failures in the order of their time. */
  fail(host: string, failure: Attempts): void;
  /** Forgets what matters no more at `now`, by the times of the failures. */
  sweep(now: number): void;
  /** Attempts that were made on a host while it would have had the address banned. */
  prevented(): number;
}

export interface ReplayOptions {
  policy: SimulatedPolicy;
  onBan: (ban: SimulatedBan) => void;
  /** Has somebody logged in since then? undefined: the logins that `login` has noted say so. */
  hasLoggedIn?: (address: Address, since: number) => boolean;
  /** May no ban touch the address or network? undefined: a ban may touch everybody. */
  isSpared?: (address: Address) => boolean;
}

/** The hosts that count together: the whole fleet, or one host. */
interface Counter {
  windows: Windows;
  /** The last ban of each address, by jail. */
  bans: Map<string, Map<Address, Ban>>;
  /** undefined: no network is banned for its addresses. */
  networks: BannedNetworks | undefined;
}

/** The name of what counts for all hosts. */
const EVERY_HOST = "";
/** It stands in the middle of what rndtime may add. */
const CHANGE_ID = "80000000-0000-4000-8000-000000000000";

export function createReplay(options: ReplayOptions): Replay {
  const { policy, onBan, isSpared = () => false } = options;
  const { jail, recidive, dbpurgeage, scope } = policy;
  const jails = recidive ? [jail, recidive] : [jail];
  const memory = memoryOf(jails, dbpurgeage);
  const keptSeconds = createKeptSeconds(jails, memory);
  const counters = new Map<string, Counter>();
  const isOfHost = jail.hosts && createHostGroup(jail.hosts);
  const isConfirming = bansLocallyFirst(jail);
  const logins = createLoginMemory({ perHost: Infinity, total: Infinity });
  let prevented = 0;

  /** Has somebody logged in on one of the hosts that count together? */
  function hasLoggedIn(host: string, address: Address, since: number): boolean {
    if (options.hasLoggedIn) return options.hasLoggedIn(address, since);
    if (host === EVERY_HOST) return logins.hasLoggedIn(address, since);
    return logins.loginsOf(address).some((login) => login.host === host && login.at >= since);
  }

  function counterOf(host: string): Counter {
    const known = counters.get(host);
    if (known) return known;
    const windows = createWindows({
      ...{ ...jail, findtime: jail.findtime * 1000 },
      hasLoggedIn: (address, since) => hasLoggedIn(host, address, since),
    });
    const networks = jail.network && createBannedNetworks(jail.network, jail);
    const made = { windows, networks, bans: new Map<string, Map<Address, Ban>>() };
    counters.set(host, made);
    return made;
  }

  /** The ban of the offence; undefined: an earlier one covers it. */
  function give(counter: Counter, of: Jail, offence: Offence): Ban | undefined {
    const ban = banIn(counter, of, offence, memory);
    if (!ban) return undefined;
    const { hosts, addresses } = offence;
    const { address, until, offence: number, reason } = ban;
    const facts = { jail: of.name, address, at: offence.at, until, offence: number, reason, hosts };
    onBan({ ...facts, ...(addresses && { addresses }) });
    return ban;
  }

  function giveNetwork(counter: Counter, ban: Ban): void {
    const countedBefore = (network: Address) => {
      const before = counter.bans.get(jail.name)?.get(network);
      return before ? countedUntil(before) : -Infinity;
    };
    const offence = counter.networks?.note(ban, countedBefore);
    if (offence) give(counter, jail, offence);
  }

  function isBanned(counter: Counter, counted: Address, at: number, host: string): boolean {
    const around = jail.network && networkAround(counted, jail.network);
    return [...counter.bans.values()].some((ofJail) =>
      [counted, ...(around ? [around] : [])].some((each) => {
        const ban = ofJail.get(each);
        return ban !== undefined && isInForce(ban, at) && (ban.hosts?.includes(host) ?? true);
      }),
    );
  }

  /** The same as the decider's: a network that holds a spared address is never banned as a whole. */
  function countedFor(address: Address): Address {
    const counted = countedAs(address, jail);
    return counted !== address && isSpared(counted) ? address : counted;
  }

  return {
    policy,
    login(host, address, at) {
      if (jail.knownGood) logins.note(host, address, at);
    },
    fail(host, failure) {
      const { address, at, attempts } = failure;
      if (isOfHost?.(host) === false || isSpared(address)) return;
      const counter = counterOf(scope === "fleet" ? EVERY_HOST : host);
      const counted = countedFor(address);
      if (isBanned(counter, counted, at, host)) {
        prevented += attempts; // they would not have been made: they count for nothing
        return;
      }
      const own = counter.bans.get(jail.name)?.get(counted);
      const confirming = isConfirming ? confirmingOffence(own, host, failure) : undefined;
      if (confirming && give(counter, jail, confirming)) return;
      const [offence] = counter.windows.add(counted, host, failure);
      const ban = offence && give(counter, jail, offence);
      if (!ban) return;
      giveNetwork(counter, ban);
      if (!recidive) return;
      const before = counter.bans.get(recidive.name)?.get(counted);
      const repeated = findRepeatedBans([ban], recidive, before ? countedUntil(before) : -Infinity);
      if (repeated) give(counter, recidive, repeated);
    },
    sweep(now) {
      for (const { windows, networks, bans } of counters.values()) {
        windows.sweep(now);
        networks?.sweep(now);
        for (const ofJail of bans.values()) {
          for (const [address, { jail: name, until }] of ofJail) {
            const kept = Math.max(2 * jail.findtime, dbpurgeage, keptSeconds(name)) * 1000;
            if (until !== null && until + kept < now) ofJail.delete(address);
          }
        }
      }
    },
    prevented: () => prevented,
  };
}

function banIn(counter: Counter, jail: Jail, offence: Offence, memory: BanMemory) {
  const ofJail = counter.bans.get(jail.name) ?? new Map<Address, Ban>();
  counter.bans.set(jail.name, ofJail);
  const change = { now: offence.at, id: CHANGE_ID, memory };
  const ban = banForOffence(ofJail.get(offence.address), jail, offence, change);
  if (ban) ofJail.set(offence.address, ban);
  return ban;
}
