/**
 * Addresses from which somebody has logged in on this host, as far as a jail's `knownGood` asks for
 * them: which of them the fleet does not know of yet, and which are known good here while this host
 * is alone.
 *
 * A login that the fleet knows of is due again only when an eighth of `within` has passed, however
 * often its client comes. Nothing is kept while no jail has `knownGood`. An agent that does not know
 * the fleet's jails yet keeps logins, because a jail may turn out to ask for them.
 */
import { dropOldest } from "../detection/attempts/bounded-map.ts";
import type { Reading } from "../detection/dovecot/reading.ts";
import { detached } from "../detection/lines/detached.ts";
import { knownAs } from "../policy/login-memory.ts";
import type { Address } from "../wire/address.ts";
import type { Jail } from "../wire/settings.ts";

export interface SeenLogins {
  /** Takes what one line of Dovecot's says. */
  note(reading: Reading): void;
  /** Takes the fleet's jails as they are now. */
  learn(jails: readonly Jail[]): void;
  /** Has somebody logged in from the address since then, epoch milliseconds? */
  hasLoggedIn(address: Address, since: number): boolean;
  /** At most `limit` logins that the fleet is to hear of; `at` in epoch milliseconds. */
  due(limit: number): SeenLogin[];
  /** The fleet knows of them. */
  reported(logins: readonly SeenLogin[]): void;
  /** The fleet has lost what it knew. */
  forgetReports(): void;
  /** Calls `listener` when a login becomes due. */
  onDue(listener: () => void): void;
}

export interface SeenLogin {
  address: Address;
  at: number;
}

interface Seen {
  at: number;
  /** When the fleet was told last, epoch milliseconds; undefined: never. */
  reportedAt: number | undefined;
}

/** Beyond that, the addresses that were seen longest ago are forgotten; some 150 bytes each. */
const MAX_ADDRESSES = 50_000;
/** The longest `within` that a jail may have. */
const LONGEST_MS = 2_592_000_000;
/** A login is reported again after this part of the shortest `within`. */
const AGAIN_PART = 1 / 8;

type Policy =
  /** The agent has not read the fleet's jails yet. */
  | { state: "unknown" }
  /** No jail has knownGood. */
  | { state: "off" }
  | { state: "on"; keptForMs: number; againAfterMs: number };

export function createSeenLogins(now: () => number): SeenLogins {
  const seen = new Map<Address, Seen>();
  const due = new Set<Address>();
  let policy: Policy = { state: "unknown" };
  let listen = () => {};

  function forget(address: Address): void {
    seen.delete(address);
    due.delete(address);
  }

  const keptForMs = () => (policy.state === "on" ? policy.keptForMs : LONGEST_MS);

  function isToBeReported({ reportedAt }: Partial<Seen>): boolean {
    if (reportedAt === undefined) return true;
    return policy.state === "on" && now() - reportedAt >= policy.againAfterMs;
  }

  function add(address: Address, at: number): void {
    const before = seen.get(address);
    const login = { at: Math.max(at, before?.at ?? at), reportedAt: before?.reportedAt };
    const key = before ? address : (detached(address) as Address);
    seen.delete(key); // the Map keeps the order of insertion
    seen.set(key, login);
    if (seen.size > MAX_ADDRESSES) {
      dropOldest(seen);
      for (const each of due) if (!seen.has(each)) due.delete(each);
    }
    if (!isToBeReported(login)) return;
    due.add(key);
    if (policy.state === "on") listen();
  }

  return {
    note({ verdict, address, at }) {
      if (policy.state === "off" || verdict !== "success" || address === undefined) return;
      const loggedAt = Math.min(at ?? now(), now());
      if (loggedAt > now() - keptForMs()) add(knownAs(address), loggedAt);
    },
    learn(jails) {
      const withins = jails.flatMap(({ knownGood }) =>
        knownGood ? [knownGood.within * 1000] : [],
      );
      if (withins.length === 0) {
        policy = { state: "off" };
        seen.clear();
        due.clear();
        return;
      }
      const againAfterMs = Math.min(...withins) * AGAIN_PART;
      policy = { state: "on", keptForMs: Math.max(...withins), againAfterMs };
      if (due.size > 0) listen();
    },
    hasLoggedIn: (address, since) => (seen.get(knownAs(address))?.at ?? -Infinity) >= since,
    due(limit) {
      const oldest = now() - keptForMs();
      const logins: SeenLogin[] = [];
      if (policy.state !== "on") return logins;
      for (const address of due) {
        if (logins.length === limit) break;
        const { at = -Infinity } = seen.get(address) ?? {};
        if (at < oldest) forget(address);
        else logins.push({ address, at });
      }
      return logins;
    },
    reported(logins) {
      for (const { address } of logins) {
        due.delete(address);
        const login = seen.get(address);
        if (login) login.reportedAt = now();
      }
    },
    forgetReports() {
      for (const [address, login] of seen) {
        login.reportedAt = undefined;
        due.add(address);
      }
    },
    onDue: (listener) => void (listen = listener),
  };
}
