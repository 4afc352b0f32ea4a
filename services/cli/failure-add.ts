/** `fleetban failure add`: failures that another program has seen, and that no agent reads. */
import { hostname } from "node:os";
import { Command } from "commander";
import { hostToken } from "../wire/subjects.ts";
import { checksOf } from "./arguments.ts";
import type { AskingContext } from "./confirm.ts";
import { JSON_OPTION, type JsonOption } from "./context.ts";
import { readAddresses } from "./several.ts";
import { count } from "../config/count.ts";

interface AddOptions extends JsonOption {
  jail: string;
  host?: string;
  user?: string;
  service?: string;
  attempts: number;
}

/** As many addresses go in one request. */
const AT_A_TIME = 400;

export function addCommand(context: AskingContext): Command {
  const { ask, output } = context;
  const where = "failure add";
  const check = checksOf(where, output.note);
  return new Command("add")
    .description("count failures that another program has seen")
    .argument("<address...>", "addresses that have failed; -: those that stdin has")
    .option("--jail <jail>", "counted for this jail", check.jail, "dovecot")
    .option("--host <host>", "seen by this host (default: this machine's name)", check.host)
    .option("--user <name>", "the user name that was tried", check.text)
    .option("--service <name>", "such as smtp or webmail, at most 32 characters", check.text)
    .option("--attempts <number>", "so many failed attempts of each address", check.attempts, 1)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (given: string[], options: AddOptions) => {
      const { json, jail, user, service, attempts, host = hostToken(hostname()) } = options;
      const addresses = await readAddresses(context, where, given, check.single);
      let stored = 0;
      for (let from = 0; from < addresses.length; from += AT_A_TIME) {
        const some = addresses.slice(from, from + AT_A_TIME);
        const what = { jail, host, user, service, attempts };
        stored += (await ask("failure.add", { addresses: some, ...what })).stored;
      }
      if (json) output.json({ stored, jail, host });
      else
        output.line(
          `${count(stored, "failure")} of host ${host} for jail ${jail}: stored, and counted`,
        );
    });
}

const EXAMPLES = `
For programs that fleetban does not read: a webmail, a proxy, a script. Each call is one failure, or
--attempts of them, now. The jail decides as always: maxretry, findtime, allowlist.

Examples:
  fleetban failure add 198.51.100.7 --service webmail --user info@example.com
  journalctl -u proxy -o cat | awk '/denied/ {print $1}' | fleetban failure add - --jail proxy
`;
