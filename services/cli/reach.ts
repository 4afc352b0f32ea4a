/**
 * How far a change has come, in words. "In force" is said only of hosts that
 * reported it from their kernel: not of one that refused, nor of a dry run.
 */
import { EXIT, PlainError } from "../daemon/exit.ts";
import { overlaps, type Address } from "../wire/address.ts";
import type { HostRow, Reach } from "../wire/api.ts";
import { isEffective } from "../wire/status.ts";
import type { Context } from "./context.ts";
import { visible } from "./visible.ts";

export type Change = "in force" | "lifted";

export interface Reached {
  address: Address;
  reach: Reach;
  change: Change;
  /** The answer on stdout is JSON, which says it in its own way. */
  json: true | undefined;
}

/** Says it on stdout; what is missing is thrown as a PlainError, exit 69. */
export async function reportReach(
  { ask, output }: Context,
  where: string,
  { address, reach, change, json }: Reached,
): Promise<void> {
  const rows = change === "in force" ? (await ask("host.list", {})).hosts : [];
  const { done, total, dry, ineffective, refused, missing } = summarize(reach, rows, address);
  const slowest = Math.max(0, ...done.map(({ ms }) => ms));
  const after = done.length === 0 ? "" : ` after ${formatMs(slowest)}`;
  if (!json) output.line(`${change} on ${done.length}/${total} hosts${after}`);
  if (dry.length > 0) output.note(`dry run, only logged: ${dry.join(", ")}`);
  if (reach.down.length > 0) output.note(`down, follows when it is back: ${reach.down.join(", ")}`);
  const faults = [
    ...(missing.length > 0 ? [`no report in time from ${missing.join(", ")}`] : []),
    ...refused.map(({ host, reason }) => `refused by ${host} (${reason})`),
    ...(ineffective.length > 0 ? [`bans are not effective on ${ineffective.join(", ")}`] : []),
    ...(total === 0 ? ["no host is up"] : []),
  ];
  if (faults.length === 0) return;
  const text = `${where}: not ${change} everywhere: ${faults.join("; ")}; see fleetban host list`;
  throw new PlainError(visible(text), EXIT.unavailable);
}

interface Summary {
  /** Hosts on which it is so, with the milliseconds it took. */
  done: Reach["applied"];
  /** Live hosts. */
  total: number;
  dry: string[];
  /** Hosts that say that packets of banned addresses may get through. */
  ineffective: string[];
  refused: { host: string; reason: string }[];
  missing: string[];
}

export function summarize(reach: Reach, rows: readonly HostRow[], address: Address): Summary {
  const statusOf = (host: string) => rows.find((row) => row.host === host)?.status ?? undefined;
  const refused = reach.applied.flatMap(({ host }) => {
    const refusal = statusOf(host)?.refused.find((each) => overlaps(each.address, address));
    return refusal ? [{ host, reason: refusal.reason }] : [];
  });
  const isRefused = (host: string) => refused.some((each) => each.host === host);
  const isDry = (host: string) => statusOf(host)?.firewall === "dry-run";
  const isIneffective = (host: string) => {
    const status = statusOf(host);
    return status !== undefined && !isDry(host) && !isEffective(status);
  };
  const isDone = (host: string) => !isRefused(host) && !isDry(host) && !isIneffective(host);
  return {
    done: reach.applied.filter(({ host }) => isDone(host)),
    total: reach.applied.length + reach.missing.length,
    dry: reach.applied.map(({ host }) => host).filter(isDry),
    ineffective: reach.applied.map(({ host }) => host).filter(isIneffective),
    refused,
    missing: reach.missing,
  };
}

/** "8 ms", "0.4 ms", "1.2 s". */
export function formatMs(milliseconds: number): string {
  if (milliseconds < 1) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
