/** What has happened to an address, in one order: changes of its bans, its failures, its logins. */
import type { Ban, FailureRow, Reply } from "../api/messages.ts";

export type TimelineEntry =
  | { kind: "change"; key: string; at: string; ban: Ban }
  | { kind: "failures"; key: string; at: string; failures: readonly FailureRow[] }
  | { kind: "login"; key: string; at: string; host: string };

/** The newest first. Failures that follow each other are one entry. */
export function timelineOf(answer: Reply<"ban.show">): TimelineEntry[] {
  const { bans, changes, failures, logins = [] } = answer;
  // Without PostgreSQL there are no changes on record, but the last one of each ban is known.
  const known = new Map([...changes, ...bans].map((ban) => [ban.change, ban]));
  const single: TimelineEntry[] = [
    ...[...known.values()].map((ban): TimelineEntry => {
      return { kind: "change", key: ban.change, at: ban.changedAt, ban };
    }),
    ...failures.map((failure, index): TimelineEntry => {
      return { kind: "failures", key: `failure-${index}`, at: failure.at, failures: [failure] };
    }),
    ...logins.map(({ host, at }): TimelineEntry => {
      return { kind: "login", key: `login-${host}`, at, host };
    }),
  ].sort((a, b) => (a.at < b.at ? 1 : -1));
  return single.reduce<TimelineEntry[]>(addEntry, []);
}

function addEntry(entries: TimelineEntry[], entry: TimelineEntry): TimelineEntry[] {
  const last = entries.at(-1);
  if (entry.kind !== "failures" || last?.kind !== "failures") return [...entries, entry];
  const joined = { ...last, failures: [...last.failures, ...entry.failures] };
  return [...entries.slice(0, -1), joined];
}
