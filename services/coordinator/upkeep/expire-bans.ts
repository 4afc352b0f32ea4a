/** Marks bans whose time is over as expired, and deletes entries that are over and on record. */
import { firstInSlices } from "../../process/slices.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import { expireBan, isOver, rememberedMs } from "../../policy/ban-lifecycle.ts";

export interface ExpiryOptions {
  bans: Pick<BanStore, "overdueAt" | "atRestBefore" | "change" | "purge">;
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
  const ended = await firstInSlices(
    bans.overdueAt(now()),
    AT_ONCE,
    (ban) => expireBan(ban, { now: now(), id: "" }) !== undefined,
  );
  const notRemembered = (jail: string) => now() - rememberedMs(longestFindtime, keptSeconds(jail));
  const over = await firstInSlices(bans.atRestBefore(notRemembered), AT_ONCE, ({ ban }) =>
    isOver(ban, now(), longestFindtime, keptSeconds(ban.jail)),
  );
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
