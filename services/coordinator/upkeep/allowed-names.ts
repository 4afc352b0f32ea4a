/**
 * Host names on the allowlist of the configuration: looked up again and again, so that the allowlist
 * has the addresses that they have now.
 *
 * A name that cannot be looked up, or that has addresses which cannot be right, keeps the addresses
 * that it had, and is a warning: it never stops a coordinator, and no outage of a name service gets
 * anybody banned.
 */
import { reasonOf } from "../../process/reason.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { isOver, type AllowedEntry } from "../allowed-config.ts";
import type { WantedEntry } from "../buckets/settings-store.ts";

export interface Resolved {
  addresses: readonly Address[];
  /** Seconds for which the answer is good. */
  ttl: number;
}

export interface AllowedNamesOptions {
  entries: readonly AllowedEntry[];
  /** Throws where the name has no address, or nobody answers. */
  resolve: (name: string) => Promise<Resolved>;
  now: () => number;
  log: Log;
}

/** However short an answer is good for. */
const APART_S = 60;
const LONGEST_S = 3_600;
const MOST_ADDRESSES = 64;

type NamedEntry = Extract<AllowedEntry, { name: string }>;

interface Known {
  addresses: readonly Address[] | undefined;
  trouble: string | undefined;
  dueAt: number;
}

export class AllowedNames {
  readonly #options: AllowedNamesOptions;
  readonly #known = new Map<string, Known>();
  /** One name may have an entry for each of several jails. */
  #wanted: readonly NamedEntry[] = [];
  #changes = 0;
  #looking: Promise<void> | undefined;

  constructor(options: AllowedNamesOptions) {
    this.#options = options;
    this.follow(options.entries);
  }

  /** The allowlist of the configuration has these entries now; those without a name are ignored. */
  follow(entries: readonly AllowedEntry[]): void {
    this.#wanted = entries.filter((entry) => "name" in entry);
    const named = new Set(this.#wanted.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!named.has(name)) this.#known.delete(name);
    for (const name of named) {
      if (this.#known.has(name)) continue;
      this.#known.set(name, { addresses: undefined, trouble: undefined, dueAt: -Infinity });
    }
  }

  /** Looks up what is due; may be called at any time. */
  look(): Promise<void> {
    return (this.#looking ??= this.#lookAll().finally(() => (this.#looking = undefined)));
  }

  entries(): WantedEntry[] {
    const now = this.#options.now();
    return this.#wanted.flatMap((entry) => {
      if (isOver(entry, now)) return [];
      const comment = entry.comment ?? `host name ${entry.name}`;
      const addresses = this.#known.get(entry.name)?.addresses ?? [];
      return addresses.map((address) => ({ ...entry, address, comment }));
    });
  }

  /** Is it a name whose addresses are not known yet? Then those that it had stay. */
  keeps(name: string): boolean {
    const entry = this.#known.get(name);
    return entry !== undefined && entry.addresses === undefined;
  }

  /** Grows with every change of `entries`. */
  get changes(): number {
    return this.#changes;
  }

  warnings(): Warning[] {
    return [...this.#known].flatMap(([name, { trouble }]) =>
      trouble === undefined ? [] : [warn("allowed-name", { name, reason: trouble }, name)],
    );
  }

  async #lookAll(): Promise<void> {
    const now = this.#options.now();
    const due = [...this.#known].filter(([, { dueAt }]) => dueAt <= now);
    await Promise.all(due.map(([name, entry]) => this.#lookUp(name, entry)));
  }

  async #lookUp(name: string, entry: Known): Promise<void> {
    const { resolve, now, log } = this.#options;
    entry.dueAt = now() + APART_S * 1000;
    try {
      const { addresses, ttl } = await resolve(name);
      const refusal = whyRefused(addresses);
      this.#note(name, entry, refusal);
      entry.dueAt = now() + Math.min(Math.max(ttl, APART_S), LONGEST_S) * 1000;
      if (refusal !== undefined || hasSame(entry.addresses, addresses)) return;
      log.info({ hostName: name, addresses }, "a host name of the allowlist has these addresses");
      entry.addresses = [...addresses].sort();
      this.#changes += 1;
    } catch (error) {
      this.#note(name, entry, `it cannot be looked up: ${reasonOf(error)}`);
    }
  }

  #note(name: string, entry: Known, trouble: string | undefined): void {
    if (trouble !== undefined && trouble !== entry.trouble) {
      const facts = { hostName: name, reason: trouble };
      this.#options.log.warn(facts, "a host name of the allowlist keeps its last addresses");
    }
    entry.trouble = trouble;
  }
}

/** Why a name with these addresses is a mistake; undefined: it is none. */
function whyRefused(addresses: readonly Address[]): string | undefined {
  if (addresses.length > MOST_ADDRESSES) {
    return `it has ${addresses.length} addresses, expected at most ${MOST_ADDRESSES}`;
  }
  for (const address of addresses) {
    const why = whyNeverRemote(address);
    if (why !== undefined) return `its address ${address} ${why}`;
  }
  return undefined;
}

function hasSame(known: readonly Address[] | undefined, found: readonly Address[]): boolean {
  return known !== undefined && known.join() === [...found].sort().join();
}
