/**
 * The way of one ban with times. Every step is timed by the clock of the machine that does it; here
 * all of them are brought to this coordinator's clock, by what is known of the differences.
 */
import { scopeOf } from "../../wire/ban-scope.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Trace } from "../../wire/trace.ts";
import type { AppliedAt } from "../hosts/applied-revisions.ts";

/** Instants are epoch milliseconds, each by the clock of its machine. */
export interface TraceFacts {
  ban: Ban;
  jail: Pick<Jail, "hosts"> | undefined;
  /** When NATS stored the ban; undefined: not known. */
  writtenAt: number | undefined;
  /** Milliseconds by which NATS's clock is ahead of this coordinator's; undefined: not known. */
  natsAheadMs: number | undefined;
  /** Hosts that are up. */
  hosts: readonly string[];
  /** Milliseconds by which the host's clock is ahead of this coordinator's. */
  aheadMs: (host: string) => number;
  appliedAt: (host: string) => AppliedAt;
}

/** A smaller difference is the way to NATS: see decide/clock-correction.ts, which moves the others. */
const MOVED_FROM_MS = 2_000;
const NAMED_FROM_MS = 1_000;

type Step = Trace["steps"][number];
type Applied = Trace["applied"][number];

export function traceBan(facts: TraceFacts): Trace {
  const { ban } = facts;
  const steps = stepsOf(facts);
  const begin = steps.at(-1)?.at;
  const all = appliedBy(facts, begin);
  const applied = all.slice(0, FIRST);
  return {
    ...{ jail: ban.jail, address: ban.address, steps, applied, appliedCount: all.length },
    slowest: slowestOf(steps, applied),
    clocks: clocksOf(facts),
    notes: notesOf(facts),
  };
}

function stepsOf(facts: TraceFacts): Step[] {
  const { ban, writtenAt, natsAheadMs = 0 } = facts;
  const steps: Step[] = [];
  const add = (step: Step["step"], where: string, at: number) => {
    const before = steps.at(-1);
    const ms = before ? Math.max(Math.round(at - before.at), 0) : null;
    steps.push({ step, where, at: Math.round(at), ms });
  };
  if (ban.completedBy) {
    const { host: name, sentAt, storedAt } = ban.completedBy;
    const hostAheadMs = facts.aheadMs(name);
    const loggedAt = ban.countedUntil ?? sentAt;
    const isMoved = Math.abs(storedAt - sentAt) > MOVED_FROM_MS;
    add("logged", name, loggedAt - (isMoved ? natsAheadMs : hostAheadMs));
    add("read", name, sentAt - hostAheadMs);
    add("stored", "NATS", storedAt - natsAheadMs);
  }
  add("decided", ban.by === "decider" ? "coordinator" : ban.by, ban.changedAt);
  if (writtenAt !== undefined) add("written", "NATS", writtenAt - natsAheadMs);
  return steps;
}

/** The slowest first, and before it the hosts that do not have the ban. */
function appliedBy({ ban, jail, hosts, appliedAt }: TraceFacts, begin: number | undefined) {
  if (!isInForce(ban, ban.changedAt)) return [];
  const isFor = scopeOf(ban, jail) ?? (() => true);
  const applied = hosts.filter(isFor).map((host): Applied => {
    const found = appliedAt(host);
    if (found.state === "not-yet") return { host, state: "not-yet", at: null, ms: null };
    const at = Math.round(found.at);
    if (found.state === "before") return { host, state: "before", at, ms: null };
    const ms = begin === undefined ? null : Math.max(at - begin, 0);
    return { host, state: found.isExact ? "applied" : "at-the-latest", at, ms };
  });
  const slowness = ({ state, ms }: Applied) => (state === "not-yet" ? Infinity : (ms ?? -1));
  return applied.sort((a, b) => slowness(b) - slowness(a));
}

function slowestOf(steps: readonly Step[], applied: readonly Applied[]): Trace["slowest"] {
  const took = [
    ...steps.map(({ step, where, ms }) => ({ step, where, ms })),
    ...applied.map(({ host, ms }) => ({ step: "applied", where: host, ms })),
  ];
  let slowest: Trace["slowest"] = null;
  for (const { step, where, ms } of took) {
    if (ms !== null && ms > (slowest?.ms ?? -1)) slowest = { step, where, ms };
  }
  return slowest;
}

function clocksOf({ natsAheadMs, hosts, aheadMs: aheadOf }: TraceFacts): Trace["clocks"] {
  const clocks = [
    { where: "NATS", aheadMs: Math.round(natsAheadMs ?? 0) },
    ...hosts.map((host) => ({ where: host, aheadMs: Math.round(aheadOf(host)) })),
  ];
  return clocks.filter(({ aheadMs }) => Math.abs(aheadMs) >= NAMED_FROM_MS).slice(0, FIRST);
}

function notesOf({ ban, writtenAt, natsAheadMs, hosts }: TraceFacts): string[] {
  const { completedBy, countedUntil } = ban;
  const isWholeSecond = completedBy && countedUntil !== null && countedUntil % 1000 === 0;
  const isHeard = completedBy !== undefined && hosts.includes(completedBy.host);
  return [
    ...(completedBy ? [] : ["no failure of its own has completed the ban, so the way begins here"]),
    ...(isWholeSecond ? ["the log's stamp may have whole seconds only"] : []),
    ...(completedBy && !isHeard
      ? [`the clock of ${completedBy.host} is not known, because the host is not up`]
      : []),
    ...(writtenAt === undefined ? ["NATS does not say when it stored the ban"] : []),
    ...(natsAheadMs === undefined ? ["NATS's clock could not be compared"] : []),
  ];
}
