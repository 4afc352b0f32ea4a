/**
 * Hosts that count together in a replay, the whole fleet or one host: their windows, and the bans
 * that they have given.
 */
import { banForOffence } from "./ban-lifecycle.ts";
import type { BanMemory } from "./ban-memory.ts";
import { createBannedNetworks, networkAround, type BannedNetworks } from "./banned-networks.ts";
import { bansLocallyFirst, confirmingOffence } from "./quorum.ts";
import { findRepeatedBans } from "./repeated-bans.ts";
import { createWindows, type Attempts, type Offence, type Windows } from "./sliding-window.ts";
import type { Address } from "../wire/address.ts";
import { countedUntil, isInForce, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";

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

export interface ReplayRules {
  jail: Jail;
  /** A jail that counts the bans of the first; undefined: there is none. */
  recidive: Jail | undefined;
  /** Seconds. */
  dbpurgeage: number;
  memory: BanMemory;
  /** How long a ban of the jail is remembered after its end. */
  keptSeconds: (jail: string) => number;
  onBan: (ban: SimulatedBan) => void;
}

/** It stands in the middle of what rndtime may add. */
const CHANGE_ID = "80000000-0000-4000-8000-000000000000";

export class ReplayCounter {
  readonly #rules: ReplayRules;
  readonly #isConfirming: boolean;
  readonly #windows: Windows;
  /** undefined: no network is banned for its addresses. */
  readonly #networks: BannedNetworks | undefined;
  /** The last ban of each address, by jail. */
  readonly #bans = new Map<string, Map<Address, Ban>>();

  constructor(rules: ReplayRules, hasLoggedIn: (address: Address, since: number) => boolean) {
    const { jail } = rules;
    this.#rules = rules;
    this.#isConfirming = bansLocallyFirst(jail);
    this.#windows = createWindows({ ...jail, findtime: jail.findtime * 1000, hasLoggedIn });
    this.#networks = jail.network && createBannedNetworks(jail.network, jail);
  }

  isBanned(counted: Address, at: number, host: string): boolean {
    const { network } = this.#rules.jail;
    const around = network && networkAround(counted, network);
    const places = around ? [counted, around] : [counted];
    return [...this.#bans.values()].some((ofJail) =>
      places.some((place) => {
        const ban = ofJail.get(place);
        return ban !== undefined && isInForce(ban, at) && (ban.hosts?.includes(host) ?? true);
      }),
    );
  }

  /** Counts a failure of an address that is not banned, and gives the bans that it brings. */
  count(counted: Address, host: string, failure: Attempts): void {
    const { jail } = this.#rules;
    const ofAddress = this.#bans.get(jail.name)?.get(counted);
    const confirming = this.#isConfirming ? confirmingOffence(ofAddress, host, failure) : undefined;
    if (confirming && this.#give(jail, confirming)) return;
    const [offence] = this.#windows.add(counted, host, failure);
    const ban = offence && this.#give(jail, offence);
    if (!ban) return;
    this.#giveToNetwork(ban);
    this.#giveRecidive(ban, counted);
  }

  /** Forgets what matters no more at `now`. */
  sweep(now: number): void {
    const { jail, dbpurgeage, keptSeconds } = this.#rules;
    this.#windows.sweep(now);
    this.#networks?.sweep(now);
    for (const ofJail of this.#bans.values()) {
      for (const [address, ban] of ofJail) {
        const kept = Math.max(2 * jail.findtime, dbpurgeage, keptSeconds(ban.jail)) * 1000;
        if (ban.until !== null && ban.until + kept < now) ofJail.delete(address);
      }
    }
  }

  /** Bans the network of the address where too many of its addresses were banned. */
  #giveToNetwork(ban: Ban): void {
    const { jail } = this.#rules;
    const offence = this.#networks?.note(ban, (network) => this.#countedUntil(jail, network));
    if (offence) this.#give(jail, offence);
  }

  #giveRecidive(ban: Ban, counted: Address): void {
    const { recidive } = this.#rules;
    if (!recidive) return;
    const offence = findRepeatedBans([ban], recidive, this.#countedUntil(recidive, counted));
    if (offence) this.#give(recidive, offence);
  }

  #countedUntil(jail: Jail, address: Address): number {
    const before = this.#bans.get(jail.name)?.get(address);
    return before ? countedUntil(before) : -Infinity;
  }

  /** The ban of the offence; undefined: an earlier one covers it. */
  #give(jail: Jail, offence: Offence): Ban | undefined {
    const { memory, onBan } = this.#rules;
    const ofJail = this.#bans.get(jail.name) ?? new Map<Address, Ban>();
    this.#bans.set(jail.name, ofJail);
    const change = { now: offence.at, id: CHANGE_ID, memory };
    const ban = banForOffence(ofJail.get(offence.address), jail, offence, change);
    if (!ban) return undefined;
    ofJail.set(offence.address, ban);
    const { hosts, addresses, at } = offence;
    const { address, until, offence: number, reason } = ban;
    const facts = { jail: jail.name, address, at, until, offence: number, reason, hosts };
    onBan({ ...facts, ...(addresses && { addresses }) });
    return ban;
  }
}
