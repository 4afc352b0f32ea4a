/**
 * A ban as it is to be once the bans before it are known.
 *
 * A decision never waits for the memory of earlier bans. After NATS has lost its storage the
 * coordinator decides at once, and PostgreSQL tells it of the earlier bans a moment later. Then each
 * ban that was decided meanwhile becomes what a coordinator with the whole memory would have made:
 *
 * - It has the offence number that is due, and grows to the length of that number.
 * - It extends an earlier ban that was in force, and the longest of both ends wins.
 * - What an operator has forgiven before stays forgiven.
 *
 * To recall the same bans again changes nothing. An end that has passed stays passed.
 */
import { countedUntil, isInForce, isLonger, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import { bansBefore, bansSoFar, rememberStarts, type Change } from "./ban-memory.ts";
import {
  banSeconds,
  describeGrowth,
  endOf,
  fractionOf,
  offenceOfLength,
  withoutGrowth,
} from "./ban-time.ts";
import { orderIn, withOrder } from "./operator-order.ts";
import { widens } from "./quorum.ts";

/** The record of one address: the last state of each of its bans, by jail, the oldest ban first. */
export type RecordedBans = ReadonlyMap<string, readonly Ban[]>;

/** `jail` is that of `present`. undefined: `present` is right. */
export function recallEarlier(
  present: Ban,
  record: RecordedBans,
  jail: Jail,
  change: Omit<Change, "elsewhere">,
): Ban | undefined {
  const { now, id, memory } = change;
  const at = present.startsAt;
  const then = { now: at, ...(memory && { memory }) };
  const earlier = lastBefore(record.get(jail.name), at, then);
  const others = [...record.keys()].filter((name) => name !== jail.name);
  const elsewhere = jail.increment?.overalljails
    ? others.map((name) => bansSoFar(lastBefore(record.get(name), at, then), then))
    : [];
  const grown = grow(withMemory(present, earlier, then), present, {
    ...{ jail, id },
    elsewhere: elsewhere.reduce((sum, count) => sum + count, 0),
  });
  const right = earlier ? besideEarlier(grown, earlier, now) : grown;
  return right === present ? undefined : { ...right, change: id, changedAt: now };
}

type Then = Pick<Change, "now" | "memory">;

/** The last ban that began before `at`, with what it would remember. */
function lastBefore(bans: readonly Ban[] = [], at: number, { memory }: Then): Ban | undefined {
  let last: Ban | undefined;
  for (const ban of bans) {
    if (ban.startsAt >= at) break;
    if (last && outlasts(last, ban)) continue;
    last = withMemory(ban, last, { now: ban.startsAt, ...(memory && { memory }) });
  }
  return last;
}

/** An address has one ban in a jail: `ban` was decided in ignorance of `before`, and became it. */
const outlasts = (before: Ban, ban: Ban): boolean =>
  ban.startsAt < before.changedAt || isInForce(before, ban.startsAt);

/** Returns `ban` itself where it knew of the ban before it. */
function withMemory(ban: Ban, before: Ban | undefined, then: Then): Ban {
  const offence = Math.max(ban.offence, bansBefore(before, then) + 1);
  const known = ban.earlier ?? [];
  const missing = startsBefore(before, then).filter((start) => !known.includes(start));
  if (offence === ban.offence && missing.length === 0) return ban;
  const earlier = [...missing, ...known].slice(-(then.memory?.starts?.count ?? 0));
  return { ...ban, offence, ...(missing.length > 0 && { earlier }) };
}

/** The starts that a ban which begins after `before`, or extends it, remembers. */
function startsBefore(before: Ban | undefined, then: Then): readonly number[] {
  const isExtended = before !== undefined && isInForce(before, then.now);
  const starts = isExtended && then.memory?.starts ? before.earlier : rememberStarts(before, then);
  return starts ?? [];
}

interface Growth {
  jail: Jail;
  id: string;
  /** Bans of the address in other jails. */
  elsewhere: number;
}

/** Returns `ban` itself where it is long enough; `present` is what the ban was decided as. */
function grow(ban: Ban, present: Ban, { jail, id, elsewhere }: Growth): Ban {
  const before = ban.offence - 1 + elsewhere;
  const isOfFewer = before + 1 > Math.max(present.offence, offenceOfLength(ban.reason));
  if (!hasEarned(ban) || ban.countedUntil === null || !isOfFewer) return ban;
  const seconds = banSeconds(jail, before, fractionOf(id));
  const until = endOf(ban.countedUntil, seconds);
  if (!isLonger(until, ban.until)) return ban;
  if (!isDecided(ban)) return { ...ban, until };
  const reason = withoutGrowth(ban.reason) + describeGrowth(jail, before, seconds);
  return { ...ban, until, reason };
}

/** Is it, or would it be, in force because of failures, or longer than these by an operator's word? */
function hasEarned(ban: Ban): boolean {
  const { state, spared, evidence } = ban;
  const isOver = state === "expired" || (state === "lifted" && !spared);
  return evidence.length > 0 && !isOver && !isReplacement(ban);
}

const isDecided = ({ by, spared, evidence }: Ban): boolean =>
  (spared?.by ?? by) === "decider" && evidence.length > 0;

/** What the entry is to be, where both `earlier` and the decision that did not know it count. */
function besideEarlier(ban: Ban, earlier: Ban, now: number): Ban {
  if (ban.state === "lifted") return ban;
  if (isAnswered(ban, earlier)) return earlier;
  if (!isInForce(earlier, ban.startsAt)) return ban;
  if (isReplacement(ban)) return extend(earlier, ban, ban.until);
  const isLast = isLonger(ban.until, earlier.until);
  if (ban.state === "active" && (isLast || widens(ban, earlier))) {
    return extend(earlier, ban, isLast ? ban.until : earlier.until);
  }
  return isInForce(earlier, now) ? earlier : ban;
}

/** `earlier` as `ban` has extended it. */
function extend(earlier: Ban, ban: Ban, until: number | null): Ban {
  const { hosts, ...extended } = ban;
  delete extended.basis;
  const both = hosts && earlier.hosts && [...new Set([...earlier.hosts, ...hosts])];
  const answered = Math.max(ban.countedUntil ?? 0, earlier.countedUntil ?? 0);
  const isBare = ban.evidence.length === 0;
  const brought = isBare ? earlier : ban;
  const order = orderIn(isBare ? ban : earlier);
  return {
    ...extended,
    ...(both && { hosts: both }),
    evidence: brought.evidence,
    ...withOrder(brought.basis, brought.evidence.length > 0 ? order : undefined),
    until,
    startsAt: earlier.startsAt,
    countedUntil: answered || null,
  };
}

/** Do the failures behind the ban not count: are they `earlier`'s, or has an operator forgiven them? */
function isAnswered(ban: Ban, earlier: Ban): boolean {
  if (!isDecided(ban)) return false;
  const forgiven = earlier.state === "lifted" ? (earlier.immuneUntil ?? 0) : 0;
  // An operator's ban ends an immunity, and a later failure may extend that ban.
  const answered = Math.max(earlier.countedUntil ?? 0, Math.min(forgiven, ban.startsAt));
  return countedUntil(ban) <= answered;
}

/** An operator's replacement answers all failures before it (see banByOperator). */
const isReplacement = ({ by, countedUntil: answered, changedAt }: Ban): boolean =>
  by !== "decider" && answered === changedAt;
