/**
 * What is remembered of bans that have ended: how many there were, for bans that grow, and when
 * they began, for jails that count bans.
 *
 * The entry of the bans bucket remembers both, so a decision never waits for PostgreSQL. The entry
 * is kept as long as what it remembers matters; after that nothing has to be looked up anywhere.
 */
import { isDue, isInForce, type Ban } from "../wire/ban.ts";
import type { Address } from "../wire/address.ts";
import type { Jail } from "../wire/settings.ts";
import { isSpared } from "./spared-ban.ts";

export interface BanMemory {
  /** A ban counts as an earlier one until this many seconds after its end: fail2ban's dbpurgeage. */
  offenceSeconds: number;
  /** Which starts of bans are remembered; undefined: no jail counts bans. */
  starts: { seconds: number; count: number } | undefined;
}

/** Facts that every change of a ban carries. */
export interface Change {
  now: number;
  /** Names the change: a UUID. */
  id: string;
  /** undefined: an entry counts as long as it is there. */
  memory?: BanMemory;
  /** The failure that has completed the offence; undefined: it was none. */
  completedBy?: NonNullable<Ban["completedBy"]>;
  /** Bans that the address had in other jails; only for jails with overalljails. */
  elsewhere?: number;
  /** The version of the policy that decides; undefined: an unnamed one, in a simulation. */
  policyVersion?: string;
}

export const countsBans = ({ source }: Pick<Jail, "source">): boolean => source === "bans";

export function memoryOf(jails: readonly Jail[], dbpurgeage: number): BanMemory {
  const counting = jails.filter(countsBans);
  const starts = {
    seconds: Math.max(...counting.map(({ findtime }) => findtime)),
    count: Math.max(...counting.map(({ maxretry }) => maxretry)),
  };
  return { offenceSeconds: dbpurgeage, starts: counting.length > 0 ? starts : undefined };
}

/** How many seconds after its end a ban of a jail is remembered. */
export function createKeptSeconds(
  jails: readonly Jail[],
  memory: BanMemory,
): (jail: string) => number {
  const isOfAll = jails.some(({ increment }) => increment?.overalljails);
  const starts = memory.starts?.seconds ?? 0;
  const kept = new Map(
    jails.map(({ name, increment, network }) => {
      const seconds = increment || isOfAll ? memory.offenceSeconds : 0;
      return [name, Math.max(seconds, starts, network?.findtime ?? 0)];
    }),
  );
  return (jail) => kept.get(jail) ?? 0;
}

/** How many bans the address had before one that begins now, or before the one that is in force. */
export function bansBefore(
  present: Ban | undefined,
  { now, memory }: Pick<Change, "now" | "memory">,
): number {
  if (!present) return 0;
  if (isInForce(present, now)) return present.offence - 1;
  if (memory && endOf(present) + memory.offenceSeconds * 1000 <= now) return 0;
  return isOffence(present) ? present.offence : present.offence - 1;
}

/**
 * What an operator has lifted is no offence, as with fail2ban, which forgets it; nor is a ban that
 * was held, or a shadow, and never in force.
 */
export const isOffence = ({ state, held }: Ban): boolean =>
  state === "active" || (state === "expired" && held === undefined);

/** When a ban that is not in force has ended. */
function endOf({ state, changedAt, until }: Ban): number {
  return state === "lifted" ? changedAt : (until ?? changedAt);
}

/** Does what the ban remembers still matter, or is the ban itself still due? */
export function isRemembered(ban: Ban, now: number, keptSeconds: number): boolean {
  if (isDue(ban, now) || isSpared(ban, now)) return true;
  const end = Math.max(endOf(ban), ban.state === "lifted" ? (ban.immuneUntil ?? 0) : 0);
  return end + keptSeconds * 1000 > now;
}

/**
 * When the bans of an entry began, the present one included: bans that failures have brought, that
 * nobody has lifted, and that were not in force on a few hosts alone.
 */
export function startsOf(ban: Ban): readonly number[] {
  const { earlier = [], startsAt, evidence } = ban;
  const isCounted = isOffence(ban) && evidence.length > 0 && ban.hosts === undefined;
  return isCounted ? [...earlier, startsAt] : earlier;
}

/** The earlier starts that a ban which begins now remembers; undefined: none. */
export function rememberStarts(
  present: Ban | undefined,
  { now, memory }: Pick<Change, "now" | "memory">,
): number[] | undefined {
  if (!present || !memory?.starts) return undefined;
  const { seconds, count } = memory.starts;
  const starts = startsOf(present).filter((at) => at > now - seconds * 1000);
  return starts.length > 0 ? starts.slice(-count) : undefined;
}

export type NewChange = (jail: Jail, address: Address) => Change;

export interface ChangesOptions {
  jails: readonly Jail[];
  bans: { get(jail: string, address: Address): Ban | undefined };
  memory: BanMemory;
  policyVersion?: string;
  now: () => number;
  newId: () => string;
}

/** Makes the facts of a change of one ban. */
export function createChanges(options: ChangesOptions): NewChange {
  const { jails, bans, memory, policyVersion, now, newId } = options;
  const facts = { memory, ...(policyVersion !== undefined && { policyVersion }) };
  return ({ name, increment }, address) => {
    const change: Change = { now: now(), id: newId(), ...facts };
    if (!increment?.overalljails) return change;
    const others = jails.filter((jail) => jail.name !== name);
    const counts = others.map((jail) => bansSoFar(bans.get(jail.name, address), change));
    return { ...change, elsewhere: counts.reduce((sum, count) => sum + count, 0) };
  };
}

/** How many bans the address has had, the one in force included. */
export function bansSoFar(ban: Ban | undefined, change: Pick<Change, "now" | "memory">): number {
  const isBanned = ban !== undefined && isInForce(ban, change.now);
  return isBanned ? ban.offence : bansBefore(ban, change);
}
