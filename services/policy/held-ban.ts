/**
 * A held ban: decided, and kept from being in force until an operator has looked. It is an entry of
 * the bans bucket like any other, so it survives what bans survive, and ends when the ban would
 * have ended.
 */
import { isHeld, type Ban } from "../wire/ban.ts";
import { liftBan } from "./ban-lifecycle.ts";
import type { Change } from "./ban-memory.ts";

/** `ban` as it is written when it is held because of `why`; `present` is the entry before it. */
export function holdBan(ban: Ban, present: Ban | undefined, why: string): Ban {
  const held = { ...ban, state: "held" as const, held: why.slice(0, LONGEST_REASON) };
  return sameOffence(held, present);
}

/** The address was held already: this is the same offence, and the first time of holding counts. */
export function sameOffence(ban: Ban, present: Ban | undefined): Ban {
  if (!present || !isHeld(present, ban.changedAt)) return ban;
  const startsAt = ban.state === "held" ? present.startsAt : ban.startsAt;
  return { ...ban, offence: present.offence, startsAt };
}

/** undefined: it is not held any more. */
export function releaseBan(
  present: Ban | undefined,
  by: string,
  { now, id }: Change,
): Ban | undefined {
  if (!present || !isHeld(present, now)) return undefined;
  return {
    ...withoutReason(present),
    change: id,
    state: "active",
    startsAt: now,
    changedAt: now,
    by,
  };
}

/** Drops a held ban: the failures behind it no longer count, later failures do. */
export function discardBan(
  present: Ban | undefined,
  { by, reason }: { by: string; reason: string },
  change: Change,
): Ban | undefined {
  if (!present || !isHeld(present, change.now)) return undefined;
  return liftBan(withoutReason(present), { by, reason, immunity: 0 }, change);
}

/** A ban that is not held has no reason why it is. */
function withoutReason(present: Ban): Ban {
  const ban = { ...present };
  delete ban.held;
  return ban;
}

const LONGEST_REASON = 256;
