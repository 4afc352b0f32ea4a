/**
 * Changes of bans that the kernel is still to get.
 *
 * Invariants:
 * - Of each ban the newest change is kept, and no other.
 * - A new ban waits for one portion at most, however many other changes there are: an entry of the
 *   allowlist may end thousands of bans, and at times every ban is judged again. After new bans the
 *   others have their turn, so nothing waits for ever either.
 */
import type { BanChange } from "./kernel-bans.ts";

/** Why a ban changes, the most urgent kind first. */
export type Urgency = "new-ban" | "end-of-a-ban" | "judged-again";

export interface PendingChanges {
  /** A ban that is pending already keeps the more urgent of its two places. */
  note(key: string, change: BanChange, urgency: Urgency): void;
  /** Takes the next portion out; empty: nothing is pending. */
  takePortion(): Map<string, PendingChange>;
  /** The portion was not brought in. What was noted since is newer. */
  putBack(portion: ReadonlyMap<string, PendingChange>): void;
  isEmpty(): boolean;
}

export interface PendingChange extends BanChange {
  urgency: Urgency;
}

/** At most this many changes are in a portion, which takes up to 10 ms. */
const MOST: Record<Urgency, number> = {
  "new-ban": 1_000,
  "end-of-a-ban": 250,
  "judged-again": 250,
};

interface Lane {
  urgency: Urgency;
  changes: Map<string, PendingChange>;
}

export function createPendingChanges(): PendingChanges {
  const lane = (urgency: Urgency): Lane => ({ urgency, changes: new Map() });
  const newBans = lane("new-ban");
  const others = [lane("end-of-a-ban"), lane("judged-again")];
  /** In the order of their urgency. */
  const lanes = [newBans, ...others];
  let wasOfNewBans = false;

  const hasAny = (some: readonly Lane[]) => some.some(({ changes }) => changes.size > 0);

  function note(key: string, { ban, isGone }: BanChange, wanted: Urgency): void {
    const place = lanes.find(({ urgency, changes }) => urgency === wanted || changes.has(key));
    for (const each of lanes) if (each !== place) each.changes.delete(key);
    place?.changes.set(key, { ban, isGone, urgency: place.urgency });
  }

  function move({ urgency, changes }: Lane, portion: Map<string, PendingChange>): void {
    let left = MOST[urgency];
    for (const [key, change] of changes) {
      if (left === 0) return;
      left -= 1;
      changes.delete(key);
      portion.set(key, change);
    }
  }

  return {
    note,
    takePortion() {
      const portion = new Map<string, PendingChange>();
      const isOfNewBans = hasAny([newBans]) && !(wasOfNewBans && hasAny(others));
      for (const some of isOfNewBans ? [newBans] : others) move(some, portion);
      wasOfNewBans = isOfNewBans;
      return portion;
    },
    putBack(portion) {
      for (const [key, change] of portion) {
        if (!lanes.some(({ changes }) => changes.has(key))) note(key, change, change.urgency);
      }
    },
    isEmpty: () => !hasAny(lanes),
  };
}
