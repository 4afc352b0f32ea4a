/** Says of every ban that was decided where it is in force, once the hosts have said so. */
import type { Log } from "../../process/log.ts";
import { scopeOf } from "../../wire/ban-scope.ts";
import type { Jail } from "../../wire/settings.ts";
import { isEffective } from "../../wire/status.ts";
import type { BanStore, Written } from "../buckets/ban-store.ts";
import type { Hosts } from "../hosts/hosts.ts";

export interface LogRolloutOptions {
  bans: Pick<BanStore, "created">;
  jailOf: (name: string) => Jail | undefined;
  hosts: Pick<Hosts, "untilApplied" | "list">;
  now: () => number;
  log: Log;
  measure: Measure;
}

export interface Measure {
  /** Milliseconds from the failure stored in NATS to the ban written. */
  decided(milliseconds: number): void;
  /** Milliseconds from the ban written to a host's report that its kernel has it. */
  enforced(milliseconds: number): void;
  /** `hosts` is the number of hosts that are up and have not reported it in time. */
  enforcedLate(hosts: number): void;
}

const PATIENCE_MS = 10_000;
/** Where thousands are banned at once, nobody reads a line about each: every status is held against all of these. */
const AT_ONCE = 100;

/** Takes a ban that was written; `storedAt` is when NATS had stored the failure that brought it. */
export function createLogRollout(options: LogRolloutOptions) {
  const { bans, jailOf, hosts, now, log, measure } = options;
  let followed = 0;
  return ({ ban, revision }: Written, storedAt: number): void => {
    const decided = now() - storedAt;
    measure.decided(decided);
    if (followed === AT_ONCE) return;
    followed += 1;
    const { jail, address } = ban;
    void hosts
      .untilApplied({ created: bans.created(), revision }, performance.now() - decided, PATIENCE_MS)
      .then((reached) => {
        followed -= 1;
        const isFor = scopeOf(ban, jailOf(ban.jail)) ?? (() => true);
        const applied = reached.applied.filter(({ host }) => isFor(host));
        const [missing, down] = [reached.missing.filter(isFor), reached.down.filter(isFor)];
        const idle = hosts.list().filter(({ status }) => !isEffective(status));
        const without = new Set(idle.map(({ status }) => status.host));
        const done = applied.filter(({ host }) => !without.has(host));
        const ineffective = applied.map(({ host }) => host).filter((host) => without.has(host));
        for (const { ms } of done) measure.enforced(ms - decided);
        if (missing.length > 0) measure.enforcedLate(missing.length);
        const expected = applied.length + missing.length;
        const ms = Math.max(0, ...done.map((each) => each.ms));
        const facts = { jail, address, inForce: `${done.length}/${expected}`, ms: round(ms) };
        if (done.length === expected && down.length === 0)
          log.info(facts, "in force on every host");
        else log.warn({ ...facts, missing, ineffective, down }, "not in force on every host");
      });
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
