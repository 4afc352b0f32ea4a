/** A lease bucket in memory, for tests of what coordinators do with it. */
import {
  LeaseTakenError,
  type LeaseBucket,
  type StoredLease,
} from "../../services/coordinator/buckets/lease-bucket.ts";

export interface SpoilableBucket extends LeaseBucket {
  /** Writes something that no coordinator writes. */
  spoil(): Promise<void>;
}

export function createFakeLeaseBucket(): SpoilableBucket {
  let stored: StoredLease = { state: "free", revision: 0 };
  const checked = (replaced: number) => {
    if (replaced !== stored.revision) throw new LeaseTakenError(`revision ${stored.revision}`);
    return stored.revision + 1;
  };
  return {
    read: () => Promise.resolve(stored),
    // oxlint-disable-next-line typescript/require-await
    async write(claim, replaced) {
      stored = { state: "claimed", revision: checked(replaced), claim };
      return stored.revision;
    },
    // oxlint-disable-next-line typescript/require-await
    async erase(replaced) {
      stored = { state: "free", revision: checked(replaced) };
    },
    spoil() {
      stored = { state: "unreadable", revision: stored.revision + 1, reason: "no JSON" };
      return Promise.resolve();
    },
  };
}
