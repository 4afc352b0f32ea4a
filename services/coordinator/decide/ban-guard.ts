/**
 * Guards against wrong mass bans: what the coordinator that decides makes of an automatic ban just
 * before it writes it.
 *
 * Above a number of bans within a minute, for the fleet or for the host that causes them, bans are
 * held: written as bans that no host enforces, for an operator to release or to discard. Bans that
 * extend one in force are no new bans: they are neither counted nor held. A ban that is in force on
 * some hosts alone and is put into force on others is a new ban there, caused by the host that
 * confirms it; above a limit the ban stays where it is.
 *
 * The guard counts what it sees in the bucket, not what it has decided itself. So a coordinator
 * that takes over knows how many bans the last minute has brought.
 */
import { isInForce, type Ban } from "../../wire/ban.ts";
import { banKey } from "../../wire/subjects.ts";
import { causeOf, confirmerOf } from "../../policy/ban-cause.ts";
import { holdBan, holdWidening, sameOffence } from "../../policy/held-ban.ts";
import { widens } from "../../policy/quorum.ts";
import { MINUTE_MS, RecentBans } from "./recent-bans.ts";

/** Most new bans within a minute; null: as many as there are. */
export interface GuardLimits {
  bansPerMinute: number | null;
  perHost: number | null;
}

export interface BanGuard {
  /**
   * What is to be written in place of `ban`, whose last failure `completedBy` has reported;
   * `present` is what stands there. undefined: nothing is to be written.
   */
  judge(ban: Ban, present: Ban | undefined, completedBy: string): Ban | undefined;
  /** A ban was seen in the bucket. */
  observe(ban: Ban): void;
}

export interface GuardOptions {
  limits: () => GuardLimits;
  /** Does what the host has reported not count? */
  isQuarantined: (host: string) => boolean;
  /** Why nothing that this host causes is to be in force now, as a sentence; undefined: it may be. */
  distrust: (host: string) => string | undefined;
  now: () => number;
}

export function createBanGuard({ limits, isQuarantined, distrust, now }: GuardOptions): BanGuard {
  const recent = new RecentBans(now);

  function whyHeld(cause: string): string | undefined {
    const { all, ofHost } = recent.count(cause);
    const { bansPerMinute, perHost } = limits();
    const distrusted = distrust(cause);
    if (distrusted !== undefined) return distrusted;
    if (perHost !== null && ofHost >= perHost) {
      return `host ${cause} has caused more than ${perHost} bans within a minute (guard.perHost)`;
    }
    if (bansPerMinute !== null && all >= bansPerMinute) {
      return `the fleet has more than ${bansPerMinute} new bans within a minute (guard.bansPerMinute)`;
    }
    return undefined;
  }

  /** `ban` is `present`, and in force on more hosts. */
  function judgeWidening(ban: Ban, present: Ban, completedBy: string): Ban | undefined {
    const { hosts = [] } = present;
    const last = hosts.includes(completedBy) ? confirmerOf(ban, hosts) : completedBy;
    const confirmer = last ?? completedBy;
    const key = wideningKey(ban, confirmer);
    if (recent.has(key)) return ban;
    const why = whyHeld(confirmer);
    if (why !== undefined) {
      return present.held === undefined ? holdWidening(ban, present, why) : undefined;
    }
    recent.note(key, ban.changedAt, confirmer);
    return ban;
  }

  return {
    judge(ban, present, completedBy) {
      if (ban.evidence.some(({ host }) => isQuarantined(host))) return undefined;
      if (ban.state === "shadow") return ban; // in force nowhere
      const cause = causeOf(ban, completedBy);
      if (present && isInForce(present, ban.changedAt)) {
        if (widens(ban, present)) return judgeWidening(ban, present, completedBy);
        return present.held !== undefined && ban.hosts ? { ...ban, held: present.held } : ban;
      }
      if (cause === undefined) return ban;
      const key = banKey(ban.jail, ban.address);
      // A write that is tried again has its place already.
      if (recent.has(key)) return sameOffence(ban, present);
      const why = whyHeld(cause);
      if (why !== undefined) return holdBan(ban, present, why);
      recent.note(key, ban.startsAt, cause);
      return sameOffence(ban, present);
    },

    observe(ban) {
      const { jail, address, state, by, startsAt, changedAt, held } = ban;
      const isDecided = state === "active" && by === "decider" && held === undefined;
      if (!isDecided || changedAt <= now() - MINUTE_MS) return;
      const isWidened = startsAt < changedAt && ban.basis?.rule === "confirmed";
      if (!isWidened && startsAt !== changedAt) return;
      const cause = isWidened ? confirmerOf(ban) : causeOf(ban);
      if (cause === undefined) return;
      const key = isWidened ? wideningKey(ban, cause) : banKey(jail, address);
      if (!recent.has(key)) recent.note(key, changedAt, cause);
    },
  };
}

/** A ban of a few hosts counts for the host that brought it, and for each host that confirms it. */
const wideningKey = ({ jail, address }: Ban, confirmer: string) =>
  `${banKey(jail, address)} ${confirmer}`;
