/**
 * How far a change has come, in words. "In force" is said only of hosts that
 * reported it from their kernel: not of one that refused, nor of a dry run.
 */
import { EXIT, PlainError } from "../process/exit.ts";
import type { Reach, Standing } from "../wire/reach.ts";
import type { Context } from "./context.ts";
import { visible } from "./visible.ts";

export type Change = "in force" | "lifted";

export interface Reached {
  reach: Reach;
  change: Change;
  /** The answer on stdout is JSON, which says it in its own way. */
  json: true | undefined;
}

/** Prints the result on stdout. Missing hosts are thrown as a PlainError, exit code 69. */
export function reportReach(
  { output }: Pick<Context, "output">,
  where: string,
  { reach, change, json }: Reached,
): void {
  const { counts, slowestMs, dryRun, down } = reach;
  const after = slowestMs === null ? "" : ` after ${formatMs(slowestMs)}`;
  if (!json) output.line(`${change} on ${counts.inForce}/${counts.live} hosts${after}`);
  if (dryRun.length > 0) output.note(`dry run, only logged: ${nameFirst(dryRun, counts.dryRun)}`);
  if (down.length > 0) {
    output.note(`down, follows when it is back: ${nameFirst(down, counts.down)}`);
  }
  const faults = faultsOf(reach);
  if (counts.live === 0) faults.push("no host is up");
  if (faults.length === 0) return;
  const text = `${where}: not ${change} everywhere: ${faults.join("; ")}; see fleetban host list`;
  throw new PlainError(visible(text), EXIT.unavailable);
}

function faultsOf({ missing, ineffective, refused, counts }: Standing): string[] {
  const refusals = refused.map(({ host, reason }) => `${host} (${reason})`);
  return [
    ...(missing.length > 0 ? [`no report in time from ${nameFirst(missing, counts.missing)}`] : []),
    ...(refused.length > 0 ? [`refused by ${nameFirst(refusals, counts.refused)}`] : []),
    ...(ineffective.length > 0
      ? [`bans are not effective on ${nameFirst(ineffective, counts.ineffective)}`]
      : []),
  ];
}

/** One sentence holds at most this many names; `host list` has all of them. */
const NAMED = 20;

/** "mx1, mx2", "mx1, mx2, ... and 9980 more"; `names` are the first of `count`. */
export function nameFirst(names: readonly string[], count: number): string {
  const shown = names.slice(0, NAMED);
  const rest = count - shown.length;
  return rest > 0 ? `${shown.join(", ")} and ${rest} more` : shown.join(", ");
}

/** "8 ms", "0.4 ms", "1.2 s". */
export function formatMs(milliseconds: number): string {
  if (milliseconds < 1) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
