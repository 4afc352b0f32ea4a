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

export interface AllowedNames {
  /** The allowlist of the configuration has these entries now; those without a name are ignored. */
  follow(entries: readonly AllowedEntry[]): void;
  /** Looks up what is due; may be called at any time. */
  look(): Promise<void>;
  entries(): WantedEntry[];
  /** Is it a name whose addresses are not known yet? Then those that it had stay. */
  keeps(name: string): boolean;
  /** Grows with every change of `entries`. */
  readonly changes: number;
  warnings(): Warning[];
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

export function createAllowedNames(options: AllowedNamesOptions): AllowedNames {
  const { resolve, now, log } = options;
  const known = new Map<string, Known>();
  /** One name may have an entry for each of several jails. */
  let wanted: readonly NamedEntry[] = [];
  let changes = 0;
  let looking: Promise<void> | undefined;

  function follow(entries: readonly AllowedEntry[]): void {
    wanted = entries.filter((entry) => "name" in entry);
    const named = new Set(wanted.map(({ name }) => name));
    for (const name of known.keys()) if (!named.has(name)) known.delete(name);
    for (const name of named) {
      if (known.has(name)) continue;
      known.set(name, { addresses: undefined, trouble: undefined, dueAt: -Infinity });
    }
  }

  function note(name: string, entry: Known, trouble: string | undefined): void {
    if (trouble !== undefined && trouble !== entry.trouble) {
      log.warn(
        { hostName: name, reason: trouble },
        "a host name of the allowlist keeps its last addresses",
      );
    }
    entry.trouble = trouble;
  }

  async function lookUp(name: string, entry: Known): Promise<void> {
    entry.dueAt = now() + APART_S * 1000;
    try {
      const { addresses, ttl } = await resolve(name);
      const refusal = whyRefused(addresses);
      note(name, entry, refusal);
      entry.dueAt = now() + Math.min(Math.max(ttl, APART_S), LONGEST_S) * 1000;
      if (refusal !== undefined || hasSame(entry.addresses, addresses)) return;
      log.info({ hostName: name, addresses }, "a host name of the allowlist has these addresses");
      entry.addresses = [...addresses].sort();
      changes += 1;
    } catch (error) {
      const reason = reasonOf(error);
      note(name, entry, `it cannot be looked up: ${reason}`);
    }
  }

  async function lookAll(): Promise<void> {
    const due = [...known].filter(([, { dueAt }]) => dueAt <= now());
    await Promise.all(due.map(([name, entry]) => lookUp(name, entry)));
  }

  follow(options.entries);
  return {
    follow,
    look: () => (looking ??= lookAll().finally(() => (looking = undefined))),
    entries: () =>
      wanted.flatMap((entry) => {
        if (isOver(entry, now())) return [];
        const comment = entry.comment ?? `host name ${entry.name}`;
        const addresses = known.get(entry.name)?.addresses ?? [];
        return addresses.map((address) => ({ ...entry, address, comment }));
      }),
    keeps: (name) => known.has(name) && known.get(name)?.addresses === undefined,
    get changes() {
      return changes;
    },
    warnings: () =>
      [...known].flatMap(([name, { trouble }]) =>
        trouble === undefined ? [] : [warn("allowed-name", { name, reason: trouble }, name)],
      ),
  };
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
