/** The state of a ban, and how far a change has come, in words. */
import type { Ban, ManyBans, Reach, Reply, Standing } from "../api/messages.ts";
import { formatMs } from "./durations.ts";
import { count, formatNumber } from "./numbers.ts";

/** "held for other hosts": in force on some hosts alone, because a guard keeps back the rest. */
export type BanKind = "in-force" | "in-part" | "held" | "shadow" | "spared" | "lifted" | "expired";

const isOver = (until: string | null, now: number): boolean =>
  until !== null && Date.parse(until) <= now;

export function kindOf({ state, until, held, spared }: Ban, now: number): BanKind {
  if (state === "lifted") return spared && !isOver(until, now) ? "spared" : "lifted";
  if (state === "expired" || isOver(until, now)) return "expired";
  if (state === "active") return held === undefined ? "in-force" : "in-part";
  return state;
}

export const KIND_WORDS: Readonly<Record<BanKind, string>> = {
  "in-force": "banned",
  "in-part": "on some hosts",
  held: "held",
  shadow: "shadow",
  spared: "spared",
  lifted: "lifted",
  expired: "ended",
};

/** What a kind means, for those who see the word for the first time. */
export const KIND_MEANINGS: Readonly<Record<BanKind, string>> = {
  "in-force": "hosts drop what this address sends",
  "in-part": "in force on some hosts; on the others an operator must release it",
  held: "decided, and in force nowhere until an operator releases it",
  shadow: "its jail is in shadow mode: recorded, and never in force",
  spared: "the allowlist has lifted it; it comes back when the entry goes",
  lifted: "ended by an operator before its time",
  expired: "its time is over",
};

export const isBanned = (ban: Ban, now: number): boolean =>
  ["in-force", "in-part"].includes(kindOf(ban, now));

/** May an operator release or discard it? */
export const awaitsRelease = (ban: Ban, now: number): boolean =>
  ["held", "in-part"].includes(kindOf(ban, now));

/** "2 on mx1, 3 on mx2". */
export function describeEvidence({ evidence, by }: Ban): string {
  if (evidence.length === 0)
    return `none, ${by === "decider" ? "none is kept" : "it was commanded"}`;
  return evidence.map(({ host, failures }) => `${formatNumber(failures)} on ${host}`).join(", ");
}

export type ChangeWord = "in force" | "lifted";

/** "in force on 42/42 hosts after 9 ms". */
export function describeReach(reach: Reach, word: ChangeWord): string {
  const { counts, slowestMs } = reach;
  if (counts.live === 0) return "no host is up, hosts follow when they are back";
  const after = slowestMs === null ? "" : ` after ${formatMs(slowestMs)}`;
  return `${word} on ${formatNumber(counts.inForce)}/${formatNumber(counts.live)} hosts${after}`;
}

/** What keeps a change from being in force everywhere; none: nothing does. */
export function faultsOf(standing: Standing | Reach): string[] {
  const { counts, missing, refused, dryRun, ineffective } = standing;
  const down = "down" in standing ? standing.down : [];
  return [
    ...(counts.missing > 0 ? [`no report yet from ${nameFirst(missing, counts.missing)}`] : []),
    ...refused.map(({ host, reason }) => `${host} refuses it: ${reason}`),
    ...(counts.ineffective > 0
      ? [`bans take no effect on ${nameFirst(ineffective, counts.ineffective)}`]
      : []),
    ...(counts.dryRun > 0 ? [`only logged (dry run) on ${nameFirst(dryRun, counts.dryRun)}`] : []),
    ...(down.length > 0
      ? [`silent, follows when it is back: ${nameFirst(down, down.length)}`]
      : []),
  ];
}

export const describeStanding = (standing: Standing): string =>
  standing.counts.live === 0 ? "no host is up" : `in force ${describeHosts(standing)}`;

/** "on 3/3 hosts", "on 3/3 hosts that report": those where it is in force, of those that are up. */
export function describeHosts({ counts }: Standing): string {
  if (counts.live === 0) return "no host is up";
  const hosts = counts.silent ? "hosts that report" : "hosts";
  return `on ${formatNumber(counts.inForce)}/${formatNumber(counts.live)} ${hosts}`;
}

/** Where the ban is in force; undefined: it is not to be in force anywhere. */
export function standingOf(
  { jail, address }: Ban,
  { standing, local = [] }: Pick<Reply<"ban.show">, "standing" | "local">,
): Standing | undefined {
  const own = local.find((each) => each.jail === jail && each.address === address);
  return own?.standing ?? standing ?? undefined;
}

/** One sentence holds at most this many names. */
const NAMED = 6;

/** "mx1, mx2, ... and 98 more"; `names` are the first of `total`. */
export function nameFirst(names: readonly string[], total: number): string {
  const shown = names.slice(0, NAMED);
  const rest = total - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${formatNumber(rest)} more` : shown.join(", ");
}

/** "12 bans lifted", "12 bans lifted, 300 still to come". */
export function describeMany({ changed, pending }: ManyBans, word: string): string {
  const rest = pending > 0 ? `, ${formatNumber(pending)} still to come` : "";
  return `${count(changed, "ban")} ${word}${rest}`;
}
