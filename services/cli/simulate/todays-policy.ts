/**
 * Today's policy, which `simulate` shows beside what is tried: that of the fleet, if a coordinator
 * answers, otherwise fleetban's default. No answer is no fault: logs are tried before there is a fleet.
 */
import { PlainError } from "../../process/exit.ts";
import type { JailRow, Reply } from "../../wire/api.ts";
import { UsageError } from "../arguments.ts";
import type { Context } from "../context.ts";
import { listJails } from "../list-jails.ts";
import type { SimulatedPolicy } from "../../policy/replay.ts";

type Asking = Pick<Context, "ask" | "output">;

const DEFAULT_JAIL = "dovecot";

/** `wanted`: the jail, or "none"; undefined: the fleet's dovecot, or its first jail of failures. */
export async function readTodaysPolicy(
  context: Asking,
  wanted: string | undefined,
  byDefault: Omit<SimulatedPolicy, "scope">,
): Promise<SimulatedPolicy> {
  const standIn: SimulatedPolicy = { ...byDefault, scope: "fleet", origin: "default" };
  if (wanted === "none") return standIn;
  try {
    return policyOf(context, await listJails(context), wanted);
  } catch (error) {
    if (!(error instanceof PlainError) || wanted !== undefined) throw error;
    const what = "today's policy is not known, fleetban's default is shown in its place";
    context.output.note(`${what}: ${error.message}`);
    return standIn;
  }
}

function policyOf(
  { output }: Asking,
  { jails, dbpurgeage = 86_400 }: Reply<"jail.list">,
  wanted: string | undefined,
): SimulatedPolicy {
  const { jail, decoyCount = 0 } = choose(jails, wanted);
  const recidive = jails.find((row) => row.jail.source === "bans")?.jail;
  if (decoyCount > 0) {
    output.note(`today's policy is shown without the ${decoyCount} decoys of jail ${jail.name}`);
  }
  return { jail, recidive, dbpurgeage, scope: "fleet", origin: "today" };
}

function choose(jails: readonly JailRow[], wanted: string | undefined): JailRow {
  const counting = jails.filter(({ jail }) => jail.source !== "bans");
  const named = (name: string) => counting.find(({ jail }) => jail.name === name);
  const found = wanted === undefined ? (named(DEFAULT_JAIL) ?? counting[0]) : named(wanted);
  if (found) return found;
  const names = counting.map(({ jail }) => jail.name).join(", ");
  throw new UsageError(`simulate: --today ${wanted ?? ""}: expected none, or a jail: ${names}`);
}
