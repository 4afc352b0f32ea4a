/** `fleetban failure erase`: erases failures of a user or an address from the record. */
import type { Command } from "commander";
import { EXIT, SilentExit } from "../process/exit.ts";
import type { Address } from "../wire/address.ts";
import type { Reply, Request } from "../wire/api.ts";
import { checksOf, UsageError } from "./arguments.ts";
import { JSON_OPTION, type JsonOption } from "./context.ts";
import { confirm, type AskingContext } from "./confirm.ts";
import { count } from "../config/count.ts";
import { formatInstant, formatZoned } from "./time.ts";

interface EraseOptions extends JsonOption {
  user?: string;
  address?: Address;
  reason: string;
  dryRun?: true;
  yes?: true;
}

type Erased = Reply<"failure.erase">;

export function addEraseCommand(parent: Command, context: AskingContext): void {
  const { ask, output } = context;
  const check = checksOf("failure erase", output.note);

  async function run({ user, address, reason, json, dryRun, yes }: EraseOptions): Promise<void> {
    if ((user === undefined) === (address === undefined)) {
      throw new UsageError("failure erase: expected one of --user and --address");
    }
    const request = { user, address, reason };
    const preview = await ask("failure.erase", { ...request, dryRun: true });
    const isAsked = !dryRun && !yes && preview.failures > 0;
    if (dryRun || preview.failures === 0 || isAsked) {
      if (json) output.json(preview);
      else printPreview(preview);
    }
    if (dryRun) return;
    if (preview.failures === 0) throw new SilentExit(EXIT.refused);
    const failures = count(preview.failures, "failure");
    if (isAsked) await confirm(context, "failure erase", `${failures} would be erased for good`);
    const erased = await eraseAll(request);
    if (json) output.json({ ...preview, erased });
    else output.line(`${count(erased, "failure")} erased`);
  }

  /** A coordinator erases for some seconds; then it is asked again. */
  async function eraseAll(request: Omit<Request<"failure.erase">, "dryRun">): Promise<number> {
    let erased = 0;
    let reply: Erased;
    do {
      reply = await ask("failure.erase", { ...request, dryRun: false });
      erased += reply.erased;
    } while (reply.erased > 0 && reply.erased < reply.failures);
    return erased;
  }

  function printPreview({ failures, oldest, newest, banChanges }: Erased): void {
    if (failures === 0 || oldest === null || newest === null) output.line("no failure matches");
    else {
      const from = formatInstant(oldest);
      output.line(`${count(failures, "failure")}, from ${from} to ${formatZoned(newest)}`);
    }
    if (banChanges > 0) {
      const changes = count(banChanges, "change");
      output.note(`${changes} of bans stay on record: erasing failures lifts and forgets no ban`);
    }
  }

  parent
    .command("erase")
    .description("erase failures from the record for good, for people who ask for it; audited")
    .option("--user <name>", "of this user, exactly as failure list shows it", check.text)
    .option("--address <address>", "of this address, or of all in this network", check.address)
    .option("--reason <text>", "why; the audit keeps it, so it should name nobody", check.text, "")
    .option("--dry-run", "only say how many failures that would be")
    .option("--yes", "do not ask")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(run);
}

const EXAMPLES = `
Examples:
  fleetban failure erase --user alice@example.org --dry-run
  fleetban failure erase --user alice@example.org --reason "request 4711"
  fleetban failure erase --address 198.51.100.7 --yes
`;
