/** Marks bans whose time is over as expired, and deletes entries that are over and on record. */
import { inSlices } from "../../process/slices.ts";
import type { Ban } from "../../wire/ban.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import { expireBan, isOver } from "../../policy/ban-lifecycle.ts";

export interface ExpiryOptions {
  bans: Pick<BanStore, "entries" | "change" | "purge">;
  now: () => number;
  newId: () => string;
  /** Seconds. */
  longestFindtime: number;
  /** Seconds that an ended ban of a jail is remembered. */
  keptSeconds: (jail: string) => number;
  /** Revision of the bans bucket up to which everything is on record. */
  recordedRevision: () => Promise<number>;
}

/** At most this many writes run at a time. */
const AT_ONCE = 256;

/** One round: to be called every few seconds by the coordinator that decides. */
export async function expireBans(options: ExpiryOptions): Promise<void> {
  const { bans, now, newId, longestFindtime, keptSeconds } = options;
  const ended: Ban[] = [];
  const over: { key: string; revision: number }[] = [];
  await inSlices(bans.entries(), ({ key, ban, revision }) => {
    if (ended.length < AT_ONCE && expireBan(ban, { now: now(), id: "" })) ended.push(ban);
    if (over.length === AT_ONCE) return;
    const kept = keptSeconds(ban.jail);
    if (isOver(ban, now(), longestFindtime, kept)) over.push({ key, revision });
  });
  await Promise.all(
    ended.map(({ jail, address }) =>
      bans.change(
        jail,
        address,
        (present) => present && expireBan(present, { now: now(), id: newId() }),
      ),
    ),
  );
  if (over.length === 0) return;
  const recorded = await options.recordedRevision();
  await Promise.all(
    over
      .filter(({ revision }) => revision <= recorded)
      .map(({ key, revision }) => bans.purge(key, revision)),
  );
}
