/** `fleetban host wait`: until the fleet sees a host well, as after an installation or an upgrade. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { formatDuration } from "../config/duration.ts";
import { EXIT, PlainError } from "../process/exit.ts";
import type { HostRow } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { listHosts } from "./list-hosts.ts";
import { formatRelative } from "./time.ts";

interface WaitOptions extends JsonOption {
  for: number;
  agentVersion?: string;
  since?: number;
}

/** Further conditions for a host to be well, besides those that hold for every host. */
export interface Expected {
  /** The version that its agent must run; undefined: any. */
  version: string | undefined;
  /** Its agent must have started at this instant or later, epoch milliseconds; undefined: ever. */
  since: number | undefined;
}

const EVERY_MS = 1_000;

export function hostWaitCommand({ ask, output, now }: Context): Command {
  const check = checksOf("host wait", output.note);
  return new Command("wait")
    .description("wait until a host is up, has every ban in force and no serious warning")
    .argument("<host>", "its name", check.host)
    .addOption(
      new Option("--for <duration>", "at most so long, else exit 69")
        .argParser(check.seconds)
        .default(60, "60s"),
    )
    .option("--agent-version <version>", "and its agent is of this version")
    .addOption(
      new Option("--since <when>", "and it started then or later").argParser(check.instant),
    )
    .option(...JSON_OPTION)
    .action(async (host: string, options: WaitOptions) => {
      const expected = { version: options.agentVersion, since: options.since };
      const deadline = now() + options.for * 1000;
      for (;;) {
        const { reply, trouble } = await look(ask, host, expected, now);
        if (trouble === undefined) {
          if (options.json && reply) output.json(reply);
          else output.line(`${host} is up and has every ban in force`);
          return;
        }
        if (now() >= deadline) {
          const waited = formatDuration(options.for);
          throw new PlainError(`${host}: not well after ${waited}: ${trouble}`, EXIT.unavailable);
        }
        await sleep(EVERY_MS);
      }
    });
}

/** The host's row alone; `trouble`: why it is not well, undefined: it is. */
async function look(ask: Context["ask"], host: string, expected: Expected, now: () => number) {
  try {
    const list = await listHosts({ ask });
    const row = list.hosts.find((each) => each.host === host);
    const reply = { ...list, hosts: row ? [row] : [], total: row ? 1 : 0 };
    return { reply, trouble: troubleOf(row, expected, now()) };
  } catch (error) {
    // While NATS or a coordinator is started again, nobody answers.
    if (!(error instanceof PlainError) || error.exitCode !== EXIT.unavailable) throw error;
    return { trouble: error.message };
  }
}

/** Why the fleet does not see a host well; undefined: it does. */
export function troubleOf(
  row: HostRow | undefined,
  { version, since }: Expected,
  now: number,
): string | undefined {
  const log = "its log says why: journalctl -u fleetban-agent";
  if (!row?.status) return `the fleet has not heard of it; ${log}`;
  const { state, status, lastSeenAt, current } = row;
  if (state !== "up") return `it is down, last heard ${formatRelative(lastSeenAt, now)}; ${log}`;
  if (since !== undefined && status.startedAt < since) {
    return `the fleet has not heard of it since its agent was started again; ${log}`;
  }
  if (version !== undefined && status.version !== version) {
    return `its agent is version ${status.version}, expected ${version}`;
  }
  const [serious] = status.warnings.filter(({ severity }) => severity === "high");
  if (serious) return serious.text;
  if (!current) return `it has ${status.bansInForce} bans in force, and not every one yet`;
  return undefined;
}
