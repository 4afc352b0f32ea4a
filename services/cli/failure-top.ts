/** `fleetban failure top`: what has failed most in a period, with bars. */
import { Argument, type Command } from "commander";
import type { Reply, TopKind } from "../wire/api.ts";
import { checkPeriod, checksOf } from "./arguments.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";
import { formatZoned } from "./time.ts";
import { shorten } from "./visible.ts";

interface TopOptions extends JsonOption {
  since?: number;
  until?: number;
  limit: number;
}

interface Ranking {
  by: TopKind;
  /** Head of the column. */
  head: string;
}

const RANKINGS: Readonly<Record<string, Ranking>> = {
  addresses: { by: "address", head: "ADDRESS" },
  networks: { by: "network", head: "NETWORK" },
  asn: { by: "asn", head: "ASN" },
  users: { by: "user", head: "USER" },
  domains: { by: "domain", head: "DOMAIN" },
  hosts: { by: "host", head: "HOST" },
  countries: { by: "country", head: "COUNTRY" },
};

const DAY_MS = 86_400_000;
const BAR_WIDTH = 30;
/** A coordinator gives no more. */
const MOST = 1_000;

export function addTopCommand(parent: Command, context: Context): void {
  const { ask, output, now } = context;
  const check = checksOf("failure top", output.note);
  const what = new Argument("[what]", "what is ranked").choices(Object.keys(RANKINGS));
  parent
    .command("top")
    .description("what has failed most in a period: addresses, users and so on")
    .addArgument(what.default("addresses"))
    .option(
      "--since <when>",
      "from then on: 1h (ago), or 2026-11-24T12:00; 1d without",
      check.instant,
    )
    .option("--until <when>", "up to then", check.instant)
    .option("--limit <number>", "at most so many, up to 1000", check.limit, 10)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (chosen: string, options: TopOptions) => {
      const { json, until, since = (until ?? now()) - DAY_MS } = options;
      checkPeriod("failure top", { since, until });
      const { by, head } = RANKINGS[chosen] ?? { by: "address", head: "ADDRESS" };
      const limit = Math.min(options.limit, MOST);
      const reply = await ask("failure.top", { by, since, until, limit });
      noteStale(context, reply.stale);
      if (json) {
        output.json(reply);
        return;
      }
      const { attempts, top } = reply;
      const period = `since ${formatZoned(since)}${until === undefined ? "" : ` until ${formatZoned(until)}`}`;
      output.line(`${count(attempts, "failed attempt")} ${period}`);
      if (top.length > 0) output.table(rowsOf(head, reply));
      else if (attempts > 0) output.note(WHY_NONE[by] ?? "nothing of it is on record");
    });
}

const NO_DATABASE =
  "give the coordinator databases of addresses (notify.whois.databases in coordinator.yaml)";
/** Why none of the failures may have such a name. */
const WHY_NONE: Readonly<Partial<Record<TopKind, string>>> = {
  asn: `no autonomous system of them is known: ${NO_DATABASE}`,
  country: `no country of them is known: ${NO_DATABASE}`,
  user: "none of them names a user: the lines do not, or agents drop names (users: drop)",
  domain: "none of them names a user with a mail domain, or agents hash or drop names (users)",
};

function rowsOf(head: string, { top, attempts }: Reply<"failure.top">): Cell[][] {
  const most = Math.max(...top.map((row) => row.attempts), 1);
  const hasFacts = top.some(({ about }) => about !== null);
  const rows = top.map((row): Cell[] => [
    shorten(row.name, 48),
    String(row.attempts),
    `${((100 * row.attempts) / Math.max(attempts, 1)).toFixed(1)} %`,
    drawBar(row.attempts / most),
    ...(hasFacts ? [row.about ?? "-"] : []),
  ]);
  return [[head, "ATTEMPTS", "SHARE", "", ...(hasFacts ? ["WHOSE"] : [])], ...rows];
}

/** "######"; at least one sign. */
function drawBar(part: number): string {
  return "#".repeat(Math.max(Math.round(part * BAR_WIDTH), 1));
}

const EXAMPLES = `
Examples:
  fleetban failure top
  fleetban failure top users --since 90d --limit 20
  fleetban failure top countries --since 2026-11-01 --until 2026-12-01 --json
`;
