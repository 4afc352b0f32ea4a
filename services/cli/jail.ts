/** `fleetban jail`: the rules by which the coordinator bans. */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import type { JailRow, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { readPages } from "./pages.ts";
import { count } from "./status.ts";
import type { Cell } from "./table.ts";

export function jailCommand(context: Context): Command {
  const { ask, output } = context;
  const command = new Command("jail").description("the rules by which the coordinator bans");

  command
    .command("list")
    .description("every jail that is in use, with its options in sentences")
    .option(...JSON_OPTION)
    .action(async ({ json }: JsonOption) => {
      const reply = await listJails(context);
      if (json) output.json("jail.list", reply);
      else output.facts(reply.jails.flatMap(describeJail));
    });

  command
    .command("show")
    .description("one jail: its numbers, its options in sentences, its bans")
    .argument("<jail>", "its name", checksOf("jail show", output.note).jail)
    .option(...JSON_OPTION)
    .action(async (jail: string, { json }: JsonOption) => {
      const reply = await ask("jail.show", { jail });
      if (json) output.json("jail.show", reply);
      else output.facts(describeOne(reply));
    });

  return command;
}

async function listJails({ ask }: Context): Promise<Reply<"jail.list">> {
  let rest: Omit<Reply<"jail.list">, "jails" | "next"> = { total: 0, coordinator: "" };
  const { rows, next } = await readPages(Infinity, async ({ after }) => {
    const { jails, next, ...others } = await ask("jail.list", after === null ? {} : { after });
    rest = others;
    return { rows: jails, next };
  });
  return { ...rest, jails: rows, next };
}

function describeJail({ jail, sentences }: JailRow): Cell[][] {
  const [first = "", ...others] = sentences;
  const name: Cell = { text: jail.name, color: "bold" };
  return [[name, first], ...others.map((sentence): Cell[] => ["", sentence])];
}

function describeOne(reply: Reply<"jail.show">): Cell[][] {
  const { jail, bans, coordinator } = reply;
  const { maxretry, findtime, bantime, ports } = jail;
  const held = bans.held > 0 ? `, ${bans.held} held` : "";
  return [
    ...describeJail(reply),
    ["maxretry", String(maxretry)],
    ["findtime", formatDuration(findtime)],
    ["bantime", formatDuration(bantime)],
    ["ports", ports.length === 0 ? "all" : ports.join(", ")],
    ["bans", `${count(bans.inForce, "ban")} in force${held}`],
    ["answered by", coordinator],
  ];
}
