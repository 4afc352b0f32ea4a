/** `fleetban notify`: where notifications go, and whether they arrive. */
import { Command } from "commander";
import { EXIT, SilentExit } from "../process/exit.ts";
import type { SinkRow } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";
import { formatRelative } from "./time.ts";

interface ResendOptions extends JsonOption {
  since?: number;
}

export function notifyCommand(context: Context): Command {
  const { ask, output, now } = context;
  const command = new Command("notify").description("mail, webhooks and programs: notify.sinks");

  command
    .command("list")
    .description("every sink: its receiver, and whether it takes notifications")
    .option(...JSON_OPTION)
    .action(async ({ json }: JsonOption) => {
      const reply = await ask("notify.list", {});
      if (json) output.json(reply);
      else if (reply.sinks.length === 0) {
        output.line("no notifications are sent: notify.sinks of coordinator.yaml is empty");
      } else {
        output.table([HEAD, ...reply.sinks.map((row) => describeSink(row, now()))]);
        const troubles = reply.sinks.flatMap((row) => describeTrouble(row, now()));
        if (troubles.length === 0) return;
        output.line("");
        output.facts(troubles);
      }
    });

  command
    .command("test")
    .description("send a made-up ban to a sink now, and say whether it has taken it")
    .argument("<sink>", "its name", checksOf("notify test", output.note).sink)
    .option(...JSON_OPTION)
    .action(async (sink: string, { json }: JsonOption) => {
      const reply = await ask("notify.test", { sink });
      const { reason, ms } = reply;
      if (json) output.json(reply);
      else if (reason === null) output.line(`${sink} has taken the test after ${ms} ms`);
      else output.line(`${sink} has not taken the test: ${reason}`);
      if (reason !== null) throw new SilentExit(EXIT.refused);
    });

  const check = checksOf("notify resend", output.note);
  command
    .command("resend")
    .description("send what waits for a sink now, and switch the sink on again")
    .argument("<sink>", "its name", check.sink)
    .option(
      "--since <when>",
      "also what was sent since then: 1h (ago), or 2026-11-24T12:00",
      check.instant,
    )
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (sink: string, { json, since }: ResendOptions) => {
      const reply = await ask("notify.resend", { sink, ...(since !== undefined && { since }) });
      if (json) output.json(reply);
      else if (since === undefined) output.line(`${sink} gets what waits for it now`);
      else
        output.line(`${sink} gets again what happened ${formatRelative(since, now())} and later`);
    });

  return command;
}

const HEAD = ["SINK", "TYPE", "RECEIVER", "STATE", "SENT", "LAST"];

const COLORS = { ok: "green", failing: "yellow", off: "red", new: undefined } as const;

function describeSink({ name, type, where, state, sent, sentAt }: SinkRow, now: number): Cell[] {
  const color = COLORS[state];
  const shown: Cell = color === undefined ? state : { text: state, color };
  return [
    name,
    type,
    where,
    shown,
    count(sent, "event"),
    sentAt === null ? "-" : formatRelative(sentAt, now),
  ];
}

function describeTrouble({ name, state, reason, retryAt, lost }: SinkRow, now: number): Cell[][] {
  const again = retryAt === null ? "" : `; next try ${formatRelative(retryAt, now)}`;
  const remedy = state === "off" ? `; fleetban notify resend ${name} switches it on` : "";
  return [
    ...(reason === null ? [] : [[name, `${reason}${again}${remedy}`]]),
    ...(lost === 0 ? [] : [[name, `${count(lost, "event")} given up, or too old to be sent`]]),
  ];
}

const EXAMPLES = `
Examples:
  fleetban notify resend admin
  fleetban notify resend hook --since 2h
`;
