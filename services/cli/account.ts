/** `fleetban account show`: who attacks an account, and did anybody get in from there. */
import { Argument, Command } from "commander";
import type { Reply } from "../wire/api.ts";
import { checkPeriod, checksOf } from "./arguments.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";
import { formatInstant, formatZoned, zoneOf } from "./time.ts";
import { shorten } from "./visible.ts";

interface ShowOptions extends JsonOption {
  since?: number;
  until?: number;
}

const WEEK_MS = 604_800_000;

export function accountCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("account show", output.note);
  const command = new Command("account").description("attacks on one user name");
  command
    .command("show")
    .description("who attacks an account, from where, and whether somebody logs in from there")
    .addArgument(new Argument("<user>", "user name as clients send it").argParser(check.text))
    .option(
      "--since <when>",
      "from then on: 1h (ago), or 2026-11-24T12:00; 7d without",
      check.instant,
    )
    .option("--until <when>", "up to then", check.instant)
    .option(...JSON_OPTION)
    .addHelpText("after", MORE)
    .action(async (user: string, options: ShowOptions) => {
      const { json, until, since = (until ?? now()) - WEEK_MS } = options;
      checkPeriod("account show", { since, until });
      const reply = await ask("account.show", { user, since, until });
      noteStale(context, reply.stale);
      if (json) output.json(reply);
      else tell(context, reply, { since, until });
    });
  return command;
}

function tell(
  { output }: Pick<Context, "output">,
  reply: Reply<"account.show">,
  { since, until }: { since: number; until: number | undefined },
): void {
  const { user, attempts, addresses, addressCount, hosts, knowsLogins } = reply;
  const period = `since ${formatZoned(since)}${until === undefined ? "" : ` until ${formatZoned(until)}`}`;
  const from = attempts === 0 ? "" : ` from ${count(addressCount, "address", "addresses")}`;
  output.line(`${shorten(user, 64)}: ${count(attempts, "failed attempt")}${from} ${period}`);
  if (attempts === 0) return;
  output.line("");
  output.table(addressRows(reply));
  if (addressCount > addresses.length) {
    output.note(`${addressCount - addresses.length} addresses have fewer attempts`);
  }
  output.line("");
  output.table([
    ["HOST", "ATTEMPTS"],
    ...hosts.map(({ name, attempts: ofHost }): Cell[] => [name, String(ofHost)]),
  ]);
  if (!knowsLogins) {
    output.note(
      "whether somebody logs in from these addresses is not known: no jail has knownGood",
    );
  }
}

function addressRows({ addresses, knowsLogins }: Reply<"account.show">): Cell[][] {
  const hasFacts = addresses.some(({ about }) => about !== null);
  const zone = zoneOf(addresses[0]?.lastAt ?? 0);
  const head = ["ADDRESS", "ATTEMPTS", `FIRST (${zone})`, `LAST (${zone})`, "BANNED"];
  return [
    [...head, ...(knowsLogins ? ["LAST LOGIN"] : []), ...(hasFacts ? ["WHOSE"] : [])],
    ...addresses.map(({ address, attempts, firstAt, lastAt, isBanned, lastLoginAt, about }) => [
      ...[address, String(attempts), formatInstant(firstAt), formatInstant(lastAt)],
      isBanned ? "yes" : "no",
      ...(knowsLogins ? [loginCell(lastLoginAt)] : []),
      ...(hasFacts ? [about ?? "-"] : []),
    ]),
  ];
}

const loginCell = (at: number | null): Cell =>
  at === null ? "-" : { text: formatInstant(at), color: "yellow" };

const MORE = `
LAST LOGIN is the last successful login from the address, as any user: what hosts report of logins
names no users. It is known while a jail has knownGood.

Examples:
  fleetban account show alice@example.org
  fleetban account show info --since 30d --json
`;
