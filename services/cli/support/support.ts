/** `fleetban support dump [FILE]`: one file for those who help, without what is nobody's business. */
import { Command } from "commander";
import { PlainError } from "../../process/exit.ts";
import { describeVersion } from "../../process/describe-version.ts";
import type { Endpoint, Request } from "../../wire/api.ts";
import { spellInstant, spellInstants } from "../../wire/instants.ts";
import type { ConfigContext } from "../config.ts";
import type { Context } from "../context.ts";
import { visibleJson } from "../visible.ts";
import { writePrivately } from "../write-privately.ts";
import { createRedaction } from "./redact-dump.ts";

type SupportContext = Context & ConfigContext;

/** As many bans, hosts, failures and actions are in the dump. */
const ROWS = 100;

export function supportCommand(context: SupportContext): Command {
  const dump = new Command("dump")
    .description("write what helpers need to know into one file, redacted")
    .argument("[file]", "a new file (default: fleetban-support-TIME.json in this folder)")
    .addHelpText("after", MORE)
    .action((file: string | undefined) => dumpInto(context, file));
  return new Command("support").description("help for those who help").addCommand(dump);
}

async function dumpInto(context: SupportContext, given: string | undefined): Promise<void> {
  const { output, now } = context;
  const madeAt = spellInstant(now());
  const file = given ?? `fleetban-support-${madeAt.replace(/\.\d+Z$/, "Z").replace(/:/g, "")}.json`;
  const dump = { fleetban: "support", v: 1, madeAt, ...(await gather(context)) };
  const document = visibleJson(createRedaction()(dump));
  await writePrivately("support dump", file, `${document}\n`);
  output.line(`${file}: ${Math.ceil(document.length / 1024)} kB; look at it before you send it`);
}

/** What cannot be asked is said in its place. */
async function gather(context: SupportContext): Promise<Record<string, unknown>> {
  const page = { limit: ROWS, after: null };
  const [settings, ...answers] = [
    await orReason(() => context.settingOrigins()),
    await answerOf(context, "ping.show", {}),
    await answerOf(context, "status.show", {}),
    await answerOf(context, "host.list", { limit: ROWS }),
    await answerOf(context, "jail.list", {}),
    await answerOf(context, "ban.list", { all: false, ...page }),
    await answerOf(context, "ban.list", { all: false, held: true, ...page }),
    await answerOf(context, "allow.list", { limit: ROWS }),
    await answerOf(context, "audit.list", { all: true, ...page }),
    await answerOf(context, "failure.list", page),
    await answerOf(context, "notify.list", {}),
    await answerOf(context, "metric.list", {}),
  ];
  const [ping, status, hosts, jails, bans, held, allowed, audit, failures, sinks, metrics] =
    answers;
  return {
    version: describeVersion().trim().split("\n"),
    platform: `${process.platform} ${process.arch}`,
    settings,
    ...{ ping, status, hosts, jails, bans, held, allowed, audit, failures, sinks, metrics },
  };
}

function answerOf<E extends Endpoint>(
  { ask }: Context,
  endpoint: E,
  request: Request<E>,
): Promise<unknown> {
  return orReason(async () => spellInstants(await ask(endpoint, request)));
}

async function orReason(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    return { error: error.message };
  }
}

const MORE = `
The file has versions, settings with their origins, status, hosts, jails, the
first ${ROWS} bans and entries of the allowlist, the last ${ROWS} failures and actions,
sinks and metrics. Addresses, user and mail names and operators are replaced by
stand-ins such as ipv4-1, and free text by its length. Names of hosts and jails
stay: look at the file before you send it.
`;
