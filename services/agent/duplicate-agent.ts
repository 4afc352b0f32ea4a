import { EXIT, PlainError } from "../process/exit.ts";
import type { DuplicateNotice } from "../wire/settings.ts";

/** Why this agent ends: two under one name would be taken for one. */
export function explainDuplicateAgent(host: string, { holder }: DuplicateNotice): PlainError {
  const where = holder.addresses.length > 0 ? ` on ${holder.addresses.join(", ")}` : "";
  const since = new Date(holder.startedAt).toISOString();
  const other = `another agent is at work as host ${host}${where}, since ${since}`;
  const remedy =
    "give this one a name of its own (host) and credentials of its own (fleetban key agent)";
  return new PlainError(`${other}: ${remedy}`, EXIT.config);
}
