/**
 * The bans that this host has given alone and that the fleet has not decided about yet. Pure.
 *
 * A ban leaves the table when the fleet has decided about the failures that brought it: with a ban
 * of its own, with a state that covers them (held, lifted, expired), or without a word; or when its
 * time is over.
 */
import type { Address } from "../../wire/address.ts";
import { isLonger } from "../../wire/ban.ts";
import type { SignOfLife } from "../../wire/settings.ts";
import { banKey } from "../../wire/subjects.ts";
import type { LocalDecision } from "./local-count.ts";

/** What the fleet says of a ban, as far as it matters here. */
export interface FleetState {
  jail: string;
  address: Address;
  countedUntil?: number;
}

/** What this host has of the fleet. */
export interface Progress {
  /** Sequence of the stream that has all failures of this host so far; undefined: not all are stored. */
  storedUpTo: number | undefined;
  /** Revision of the bans bucket that this host has in force, and the bucket. */
  revision: number;
  bansCreated: string | null;
}

export interface DecidedBans {
  /** Takes a ban, or a longer end of one; false: the table is full, or has a longer one. */
  add(decision: LocalDecision): boolean;
  /** The fleet's ban has a new state; `isHere`: it is in force on this host. true: the ban ends. */
  observe(ban: FleetState, isHere: boolean): boolean;
  /** Removes and returns the bans about which the fleet has decided without a word. */
  takeDecided(sign: SignOfLife, progress: Progress): LocalDecision[];
  /** Removes and returns those whose time is over. */
  takeOver(now: number): LocalDecision[];
  list(): LocalDecision[];
  readonly size: number;
}

/** Each costs some 300 bytes here and an entry of a kernel's set. */
export const MAX_LOCAL_BANS = 10_000;

interface Entry extends LocalDecision {
  /** The stream has the failures that brought it up to this sequence; undefined: not known yet. */
  storedAt: number | undefined;
}

export function createDecidedBans(most = MAX_LOCAL_BANS): DecidedBans {
  const bans = new Map<string, Entry>();

  function take(isTaken: (entry: Entry) => boolean): LocalDecision[] {
    const taken: LocalDecision[] = [];
    for (const [key, entry] of bans) {
      if (!isTaken(entry)) continue;
      bans.delete(key);
      taken.push(publicOf(entry));
    }
    return taken;
  }

  return {
    add(decision) {
      const key = banKey(decision.jail, decision.address);
      const known = bans.get(key);
      if (known ? !isLonger(decision.until, known.until) : bans.size >= most) return false;
      bans.set(key, { ...decision, storedAt: undefined });
      return true;
    },
    observe(ban, isHere) {
      const key = banKey(ban.jail, ban.address);
      const entry = bans.get(key);
      const isCovered = entry !== undefined && (ban.countedUntil ?? -Infinity) >= entry.at;
      return (isHere || isCovered) && bans.delete(key);
    },
    takeDecided({ failures, bans: revision, bansCreated }, progress) {
      const { storedUpTo } = progress;
      if (storedUpTo !== undefined) {
        for (const entry of bans.values()) entry.storedAt ??= storedUpTo;
      }
      const hasBans = progress.bansCreated === bansCreated && progress.revision >= revision;
      if (failures === null || !hasBans) return [];
      return take(({ storedAt }) => storedAt !== undefined && storedAt <= failures);
    },
    takeOver: (now) => take(({ until }) => until !== null && until <= now),
    list: () => [...bans.values()].map(publicOf),
    get size() {
      return bans.size;
    },
  };
}

const publicOf = ({ jail, address, at, until }: Entry): LocalDecision => ({
  ...{ jail, address, at, until },
});
