/** `fleetban drill HOST`: one failed login through everything, step by step. */
import { randomBytes, randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { scopeOf } from "../../wire/ban-scope.ts";
import { drillAddress, type Drill } from "../../wire/drill.ts";
import type { DrillStep } from "../../wire/api.ts";
import { encodeDrill, type Jail } from "../../wire/settings.ts";
import { drillKey } from "../../wire/subjects.ts";
import { countsBans } from "../../policy/ban-memory.ts";
import { countedAs } from "../../policy/counted-network.ts";
import { bansLocallyFirst } from "../../policy/quorum.ts";
import type { Host } from "../hosts/hosts.ts";
import type { FollowedDrill } from "../hosts/drills.ts";
import { endDrill } from "../upkeep/ended-drills.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { createReaches } from "./reach.ts";

/** This much of the drill's whole time is left for lifting the ban. */
const LIFT_WITHIN_MS = 10_000;

export function drillEndpoint(context: ApiContext): Pick<Endpoints, "host.drill"> {
  const { hosts, settings, drills, now } = context;

  return {
    async "host.drill"({ host: name, jail: jailName, wait }, by) {
      const host = hosts.get(name);
      if (!host)
        throw new ApiError(404, `${name}: is no host that has reported; see fleetban host list`);
      if (!hosts.isUp(host)) throw new ApiError(409, `${name}: is silent, so it does no drill`);
      const jail = jailToTry(context, host, jailName);
      const id = randomUUID();
      const drill: Drill = {
        ...{ v: 1, id, at: now(), by, jail: jail.name, attempts: jail.maxretry },
        user: `fleetban-drill-${id.slice(0, 8)}`,
        address: drillAddress(randomBytes(3)),
      };
      const banned = countedAs(drill.address, jail);
      const followed = drills.follow(name, drill, banned);
      const [began, deadline] = [performance.now(), performance.now() + wait - LIFT_WITHIN_MS];
      const run: Run = {
        context,
        jail,
        followed,
        banned,
        began,
        deadline,
        steps: [],
        ban: undefined,
      };
      let reason: string | null;
      try {
        await settings.write(drillKey(name), encodeDrill(drill), () => false);
        reason = await goThrough(run);
        // What may be decided later is lifted by the upkeep, when the drill's time is over.
        if (run.ban) await endDrill(context, { host: name, drill });
      } finally {
        followed.end();
      }
      if (run.ban) await lifted(run, run.ban);
      const { user, address } = drill;
      const { steps } = run;
      return { host: name, jail: jail.name, user, address, steps, reason };
    },
  };
}

interface Run {
  context: ApiContext;
  jail: Jail;
  followed: FollowedDrill;
  banned: Ban["address"];
  began: number;
  deadline: number;
  steps: DrillStep[];
  /** What was decided. */
  ban: Ban | undefined;
}

function jailToTry(context: ApiContext, { status }: Host, wanted: string | undefined): Jail {
  const own = status.sources.map(({ jail }) => jail);
  const name = wanted ?? own[0];
  if (name === undefined) throw new ApiError(409, `${status.host}: reads no log`);
  const jail = jailNamed(context, name);
  if (!own.includes(name)) {
    throw new ApiError(
      409,
      `${status.host}: has no source of jail ${name}, expected ${own.join(", ")}`,
    );
  }
  if (countsBans(jail)) throw new ApiError(409, `jail ${name} counts bans, and reads no log`);
  return jail;
}

/** Notes each step in turn; returns why the drill ends before the last one, null: it does not. */
async function goThrough(run: Run): Promise<string | null> {
  const { followed, deadline, jail, steps, began } = run;
  const note = (step: DrillStep["step"], at: number, text: string) => {
    const ms = Math.max(Math.round((at - began) * 10) / 10, 0);
    // The report of a step may come later than that of the next one, which was not before it.
    for (const earlier of steps) earlier.ms = earlier.ms && Math.min(earlier.ms, ms);
    steps.push({ step, ms, text });
  };
  const troubleOf = () => followed.progress.report?.trouble;

  const attemptedAt = await followed.until(
    ({ attemptedAt, report }) => attemptedAt ?? (report?.trouble === undefined ? undefined : null),
    deadline,
  );
  if (attemptedAt === undefined) {
    return "the agent has not answered; one of an older version knows no drills";
  }
  if (attemptedAt === null) return troubleOf() ?? "the agent could not do it";
  note("attempted", attemptedAt, followed.progress.report?.how ?? "");

  const readAt = await followed.until(
    ({ readAt, report }) => readAt ?? (report?.trouble === undefined ? undefined : null),
    deadline,
  );
  if (readAt === undefined || readAt === null) {
    return (
      troubleOf() ??
      "the agent has read no line of it: does Dovecot log where the agent reads? see fleetban host list"
    );
  }
  note("read", readAt, "the agent has read the line, and counts it");

  const countedAt = await followed.until((progress) => progress.countedAt, deadline);
  if (countedAt === undefined) return "the coordinator has not counted it: see fleetban host list";
  note(
    "counted",
    countedAt,
    `the coordinator has counted ${jail.maxretry} attempts for jail ${jail.name}`,
  );

  if (jail.minhosts !== undefined && !bansLocallyFirst(jail)) {
    return `jail ${jail.name} bans when ${jail.minhosts} hosts have seen failures (minhosts): nothing is to be decided`;
  }
  const decided = await followed.until((progress) => progress.decided, deadline);
  if (!decided) return "nothing was decided: see fleetban status, and the log of the coordinator";
  const { ban } = decided;
  run.ban = ban;
  note("decided", decided.at, ban.reason);
  if (ban.state !== "active") return `the ban is in force nowhere: ${ban.held ?? ban.state}`;
  return inForce(run, ban, note);
}

async function inForce(
  { context, jail, deadline, banned, began }: Run,
  ban: Ban,
  note: (step: DrillStep["step"], at: number, text: string) => void,
): Promise<string | null> {
  const patience = Math.max(deadline - performance.now(), 1);
  const change = { banned } as const;
  const isFor = scopeOf(ban, jail);
  const reach = await createReaches(context).untilApplied(change, [], began, patience, isFor);
  if (!reach) return null;
  const { inForce, live, missing, dryRun, ineffective, refused } = reach.counts;
  const last = began + (reach.slowestMs ?? performance.now() - began);
  note("in force", last, `in the kernel of ${inForce}/${live} hosts`);
  if (inForce === live) return null;
  const others = { missing, "dry-run": dryRun, "not effective": ineffective, refused };
  const counts = Object.entries(others).filter(([, count]) => count > 0);
  const why = counts.map(([word, count]) => `${count} ${word}`).join(", ");
  return `not in force on every host (${why}): see fleetban host list`;
}

async function lifted({ context, jail, banned, began, steps }: Run, ban: Ban): Promise<void> {
  const present = context.bans.get(jail.name, banned);
  if (present && isInForce(present, context.now())) {
    steps.push({
      step: "lifted",
      ms: null,
      text: "not yet: the coordinator lifts it within a minute",
    });
    return;
  }
  if (ban.state !== "active") return;
  const change = { lifted: banned } as const;
  const isFor = scopeOf(ban, jail);
  const reach = await createReaches(context).untilApplied(change, [], began, LIFT_WITHIN_MS, isFor);
  const { inForce = 0, live = 0 } = reach?.counts ?? {};
  const ms = Math.round((performance.now() - began) * 10) / 10;
  steps.push({
    step: "lifted",
    ms,
    text: `lifted on ${inForce}/${live} hosts: nobody stays banned`,
  });
}
