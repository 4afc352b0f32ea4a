/** Says of every ban that was decided where it is in force, once the hosts have said so. */
import type { Log } from "../daemon/log.ts";
import type { BanStore, Written } from "./ban-store.ts";
import type { Hosts } from "./hosts.ts";

export interface FollowUpOptions {
  bans: Pick<BanStore, "created">;
  hosts: Pick<Hosts, "untilApplied">;
  now: () => number;
  log: Log;
  /** Milliseconds from the failure stored in NATS to the ban written. */
  onBanned: (milliseconds: number) => void;
}

const PATIENCE_MS = 10_000;
/** Where thousands are banned at once, nobody reads a line about each: every status is held against all of these. */
const AT_ONCE = 100;

/** Takes a ban that was written; `storedAt` is when NATS had stored the failure that brought it. */
export function createFollowUp({ bans, hosts, now, log, onBanned }: FollowUpOptions) {
  let followed = 0;
  return ({ ban, revision }: Written, storedAt: number): void => {
    const decided = now() - storedAt;
    onBanned(decided);
    if (followed === AT_ONCE) return;
    followed += 1;
    const { jail, address } = ban;
    void hosts
      .untilApplied({ created: bans.created(), revision }, performance.now() - decided, PATIENCE_MS)
      .then(({ applied, missing, down }) => {
        followed -= 1;
        const expected = applied.length + missing.length;
        const ms = Math.max(0, ...applied.map((each) => each.ms));
        const facts = { jail, address, inForce: `${applied.length}/${expected}`, ms: round(ms) };
        if (missing.length + down.length === 0) log.info(facts, "in force on every host");
        else log.warn({ ...facts, missing, down }, "not in force on every host");
      });
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
