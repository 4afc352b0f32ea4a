/**
 * A held ban: decided, and kept from being in force until an operator has looked. It is an entry of
 * the bans bucket like any other, so it survives what bans survive, and ends when the ban would
 * have ended.
 *
 * A ban that is in force on some hosts alone may be confirmed by a host that is not to be believed.
 * Then its widening is held: the ban stays in force where it is, and says why it is not elsewhere.
 */
import { isHeld, isWideningHeld, type Ban } from "../wire/ban.ts";
import { liftBan, withoutReason } from "./ban-lifecycle.ts";
import { causeOf, confirmerOf, isCausedBy } from "./ban-cause.ts";
import type { Change } from "./ban-memory.ts";

/** `ban` as it is written when it is held because of `why`; `present` is the entry before it. */
export function holdBan(ban: Ban, present: Ban | undefined, why: string): Ban {
  const held = { ...ban, state: "held" as const, held: why.slice(0, LONGEST_REASON) };
  return sameOffence(held, present);
}

/** `present` as it is written when its widening to `ban` is held because of `why`. */
export function holdWidening(ban: Ban, present: Ban, why: string): Ban {
  const { change, changedAt, evidence, countedUntil } = ban;
  const held = why.slice(0, LONGEST_REASON);
  return { ...present, change, changedAt, evidence, countedUntil, held };
}

/** The host because of which the ban, or its widening, is held. */
export const heldBecauseOf = (ban: Ban): string | undefined =>
  ban.state === "active" ? confirmerOf(ban, ban.hosts) : causeOf(ban);

/** Is the ban, or its widening, held because of what the host has reported? */
export const isHeldBecauseOf = (ban: Ban, host: string): boolean =>
  ban.state === "active" ? confirmerOf(ban, ban.hosts) === host : isCausedBy(ban, host);

/** The address was held already: this is the same offence, and the first time of holding counts. */
export function sameOffence(ban: Ban, present: Ban | undefined): Ban {
  if (!present || !isHeld(present, ban.changedAt)) return ban;
  const startsAt = ban.state === "held" ? present.startsAt : ban.startsAt;
  return { ...ban, offence: present.offence, startsAt };
}

/** It, or its widening, is in force from now on; undefined: nothing of it is held any more. */
export function releaseBan(
  present: Ban | undefined,
  by: string,
  { now, id }: Change,
): Ban | undefined {
  if (!present) return undefined;
  const released = { ...withoutReason(present), change: id, changedAt: now, by };
  if (isHeld(present, now)) return { ...released, state: "active", startsAt: now };
  if (!isWideningHeld(present, now)) return undefined;
  delete released.hosts;
  return released;
}

/**
 * Drops a held ban, or a held widening: the failures behind it no longer count, later failures do.
 * A ban in force on some hosts alone stays in force there.
 */
export function discardBan(
  present: Ban | undefined,
  { by, reason }: { by: string; reason: string },
  change: Change,
): Ban | undefined {
  const { now, id } = change;
  if (!present) return undefined;
  if (isHeld(present, now)) return liftBan(present, { by, reason, immunity: 0 }, change);
  if (!isWideningHeld(present, now)) return undefined;
  return { ...withoutReason(present), change: id, changedAt: now, by };
}

const LONGEST_REASON = 256;
