/**
 * A ban: one entry of the bans bucket, and the decision itself. Recorder, agents and the API all
 * follow the bucket; there is no second write.
 *
 *   active -> lifted (by an operator), expired (its time was over)
 *   held -> active (released), lifted (discarded), expired
 *   shadow -> expired, or active once the jail is no longer in shadow mode
 *   lifted, expired -> active
 *   active, held, shadow -> lifted by the allowlist, and back when the allowlist no longer covers it
 *
 * The longest ban wins: a later decision extends an active ban and never shortens it, unless an
 * operator replaces the ban.
 */
import * as z from "zod";
import { address, decode, foreignText, instant, textOf, toBytes, WireError } from "./codec.ts";
import { spellInstant } from "./instants.ts";
import { banKey, JAIL_NAME, NAME } from "./subjects.ts";

/** Names the policy that has decided a ban, see `versionOf` of the coordinator's policy. */
export const POLICY_VERSION = /^[0-9a-f]{8}$/;

/** Every failure behind a ban may come from another host; maxretry is at most this. */
const MAX_EVIDENCE = 100;

/** What a ban rests on besides the failures of its one address. */
export const banBasis = z.object({
  /** "network", "users", "domains", "decoy", "confirmed": what of the jail has decided, other than maxretry. */
  rule: textOf(32).optional(),
  /** The address was known good, and this many times the usual count was needed. */
  knownGood: z.number().min(1).optional(),
  /** Failures of each address of the banned network; with the rule network, of each ban. */
  addresses: z
    .array(z.object({ address, failures: z.number().int().min(1) }))
    .max(MAX_EVIDENCE)
    .optional(),
  /** How many bans of each jail brought it, where the jail counts bans. */
  bans: z
    .array(z.object({ jail: z.string().regex(JAIL_NAME), bans: z.number().int().min(1) }))
    .max(MAX_EVIDENCE)
    .optional(),
  /** An operator's ban that is a part of this one, and is left when the failures are undone. */
  order: z.object({ until: instant.nullable(), by: foreignText, reason: foreignText }).optional(),
});
type BanBasis = z.infer<typeof banBasis>;

export const ban = z.object({
  v: z.literal(1),
  /** Names this change of the ban; a recorder knows by it what it has seen. */
  change: z.uuid(),
  jail: z.string().regex(JAIL_NAME),
  address,
  /**
   * "held": decided, and in force only when an operator releases it. "shadow": decided in a jail in
   * shadow mode, and never in force.
   */
  state: z.enum(["active", "held", "shadow", "lifted", "expired"]),
  startsAt: instant,
  /** When it ends by itself; null: never. */
  until: instant.nullable(),
  /** When this change was made. */
  changedAt: instant,
  reason: foreignText,
  /**
   * Why it is not in force, as a sentence without its end; kept when the ban ends. Of an active ban
   * on some hosts: why it is not in force on every host though another host has confirmed it.
   */
  held: foreignText.optional(),
  /**
   * The failure that completed it: the host that reported it, when that host sent it, by the host's
   * clock, and when NATS stored it. undefined: bans or an operator brought the ban.
   */
  completedBy: z
    .object({ host: z.string().regex(NAME), sentAt: instant, storedAt: instant })
    .optional(),
  /** Lifted only: the allowlist has lifted the ban, and this is what the ban was before. */
  spared: z
    .object({ state: z.enum(["active", "held", "shadow"]), by: foreignText, reason: foreignText })
    .optional(),
  /** 1 for the first ban of this address in this jail, as far as is remembered. */
  offence: z.number().int().min(1),
  /** The failures that brought the ban, by host; empty for an operator's ban. */
  evidence: z
    .array(z.object({ host: z.string().regex(NAME), failures: z.number().int().min(1) }))
    .max(MAX_EVIDENCE),
  /** The only hosts that enforce it, until others confirm it; undefined: every host of the jail. */
  hosts: z.array(z.string().regex(NAME)).max(MAX_EVIDENCE).optional(),
  /** What of the policy brought it; undefined: failures of this one address, or an operator. */
  basis: banBasis.optional(),
  /** The version of the policy by which it was decided; undefined: an operator has commanded it. */
  policyVersion: z.string().regex(POLICY_VERSION).optional(),
  /** When the bans before this one began, as long as a jail counts them; the oldest first. */
  earlier: z.array(instant).max(MAX_EVIDENCE).optional(),
  /** "decider", or who commanded it: "operator alice", "operator root@mx1 (unverified)". */
  by: foreignText,
  /** Lifted only: until then failures do not count. */
  immuneUntil: instant.nullable(),
  /**
   * Failures up to then are answered: by this ban, by an unban, or by a replacement. null: there
   * were none.
   */
  countedUntil: instant.nullable(),
});
export type Ban = z.infer<typeof ban>;

export function encodeBan(value: Ban): Uint8Array {
  return toBytes({
    ...value,
    startsAt: spellInstant(value.startsAt),
    until: spellInstant(value.until),
    changedAt: spellInstant(value.changedAt),
    immuneUntil: spellInstant(value.immuneUntil),
    countedUntil: spellInstant(value.countedUntil),
    earlier: value.earlier?.map((at) => spellInstant(at)),
    completedBy: value.completedBy && {
      host: value.completedBy.host,
      sentAt: spellInstant(value.completedBy.sentAt),
      storedAt: spellInstant(value.completedBy.storedAt),
    },
    basis: value.basis && spellBasis(value.basis),
  });
}

/** As it is written into messages and into PostgreSQL. */
export const spellBasis = ({ order, ...basis }: BanBasis): object =>
  order ? { ...basis, order: { ...order, until: spellInstant(order.until) } } : basis;

/** Throws a WireError, also when `key`, or the subject that ends with it, is another ban's. */
export function decodeBan(bytes: Uint8Array, key: string): Ban {
  const value = decode(ban, bytes, key);
  if (key.endsWith(banKey(value.jail, value.address))) return value;
  throw new WireError(`${key}: holds the ban of ${banKey(value.jail, value.address)}`);
}

/** Is it to be in force at `now`? */
export function isInForce(value: Pick<Ban, "state" | "until">, now: number): boolean {
  return value.state === "active" && (value.until === null || value.until > now);
}

/** Would it be in force at `now`, were it not held? */
export function isHeld(value: Pick<Ban, "state" | "until">, now: number): boolean {
  return value.state === "held" && (value.until === null || value.until > now);
}

/** Is it in force on some hosts alone, because a guard holds what would put it into force on all? */
export const isWideningHeld = (
  value: Pick<Ban, "state" | "until" | "held">,
  now: number,
): boolean => value.held !== undefined && isInForce(value, now);

/** May an operator release or discard it, or its widening to every host? */
export const awaitsRelease = (value: Pick<Ban, "state" | "until" | "held">, now: number): boolean =>
  isHeld(value, now) || isWideningHeld(value, now);

/** Was it decided in a jail in shadow mode, and is its time not over? */
export function isShadow(value: Pick<Ban, "state" | "until">, now: number): boolean {
  return value.state === "shadow" && (value.until === null || value.until > now);
}

/** Is it in force, or would it be, were it not held or a shadow? */
export const isDue = (ban: Pick<Ban, "state" | "until">, now: number): boolean =>
  isInForce(ban, now) || isHeld(ban, now) || isShadow(ban, now);

/** Does a ban that ends at `until` end after one that ends at `than`? null: for ever. */
export function isLonger(until: number | null, than: number | null): boolean {
  if (than === null) return false;
  return until === null || until > than;
}

/** Failures of the address up to this instant do not count (again). */
export function countedUntil(value: Ban): number {
  const forgiven = value.state === "lifted" ? (value.immuneUntil ?? 0) : 0;
  return Math.max(forgiven, value.countedUntil ?? 0);
}
