/**
 * Commands that change many bans by what the bans have in common: always with a preview of numbers,
 * and a confirmation before anything is changed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Option, type Command } from "commander";
import { EXIT, PlainError, SilentExit } from "../process/exit.ts";
import type { Address } from "../wire/address.ts";
import type { BanSelection, ManyBansReply } from "../wire/ban-selection.ts";
import type { Request } from "../wire/api.ts";
import { UsageError, type checksOf } from "./arguments.ts";
import { confirm, type AskingContext } from "./confirm.ts";
import type { Context, JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";

export interface SelectionOptions extends JsonOption {
  jail?: string;
  network?: Address;
  causedBy?: string;
  alone?: true;
  by?: string;
  policyVersion?: string;
  since?: number;
  all?: true;
  dryRun?: true;
  yes?: true;
}

/** The options that say which bans are meant; `--jail` is left to the command. */
export function addSelection(command: Command, check: ReturnType<typeof checksOf>): Command {
  return command
    .option("--caused-by <host>", "bans that this host has seen most failures for", check.host)
    .option("--alone", "with --caused-by: that no other host has seen a failure for")
    .option("--by <name>", "bans that this operator has made; decider: automatic ones", check.text)
    .option(
      "--policy-version <version>",
      "bans that this version of the policy has decided, see ban why",
      check.policyVersion,
    )
    .addOption(
      new Option("--since <when>", "bans that were made or changed then or later").argParser(
        check.instant,
      ),
    )
    .option("--network <network>", "bans within this network", check.address)
    .option("--all", "every one of them")
    .option("--dry-run", "only say how many bans that would be")
    .option("--yes", "do not ask");
}

/** Does a command mean many bans? */
export function isSelecting(options: SelectionOptions): boolean {
  const { network, causedBy, alone, by, policyVersion, since, all, dryRun } = options;
  const given = [network, causedBy, alone, by, policyVersion, since, all, dryRun];
  return given.some((each) => each !== undefined);
}

/** Throws a UsageError where the options choose nothing; `others` would do so, too: "addresses". */
export function selectionOf(
  where: string,
  options: SelectionOptions,
  others: string,
): BanSelection {
  const { jail, network, causedBy, alone, by, policyVersion, since, all } = options;
  if (alone && causedBy === undefined) {
    throw new UsageError(`${where}: --alone: expected --caused-by beside it`);
  }
  const selection = { jail, within: network, causedBy, alone, by, policyVersion, since };
  const isEmpty = Object.values(selection).every((each) => each === undefined);
  if (isEmpty && !all) {
    const selecting = "--caused-by, --by, --policy-version, --since, --network, --jail or --all";
    throw new UsageError(`${where}: expected ${others}, or ${selecting}`);
  }
  if (!isEmpty && all) {
    throw new UsageError(`${where}: --all: expected it alone, without what chooses some bans`);
  }
  return selection;
}

type ManyEndpoint = "ban.lift" | "ban.release" | "ban.discard";

export interface ManyBans<E extends ManyEndpoint> {
  where: string;
  endpoint: E;
  /** The fields of the request that do not change between preview and command. */
  request: Omit<Request<E>, "dryRun" | "asOf">;
  options: SelectionOptions;
  /** "would be lifted", "lifted". */
  words: { would: string; done: string };
}

const ASK_AGAIN_MS = 1_000;
const GIVE_UP_AFTER = 30;

export async function changeManyBans<E extends ManyEndpoint>(
  context: AskingContext,
  { where, endpoint, request, options, words }: ManyBans<E>,
): Promise<void> {
  const { output } = context;
  const { json, dryRun, yes } = options;
  const ask = (more: { dryRun: boolean; asOf?: number }) =>
    context.ask(endpoint, { ...request, ...more } as Request<E>) as Promise<ManyBansReply>;

  const preview = await ask({ dryRun: true });
  const isAsked = !dryRun && !yes && preview.matched > 0;
  if (dryRun || preview.matched === 0 || isAsked) {
    if (json) output.json(preview);
    else printPreview(context, preview, words.would);
  }
  if (dryRun) return;
  if (preview.matched === 0) throw new SilentExit(EXIT.refused);
  if (isAsked) await confirm(context, where, describe(preview.matched, preview, words.would));

  const { asOf, matched } = preview;
  const reply = await ask({ dryRun: false, asOf });
  const left = await untilDone(reply.pending, async () => {
    return (await ask({ dryRun: true, asOf })).matched;
  });
  const final = { ...reply, changed: reply.changed + reply.pending - left, pending: left };
  if (json) output.json(final);
  else output.line(describe(final.changed, final, words.done));
  if (!isAsked) noteHeld(context, final);
  if (left > 0) {
    const text = `${where}: ${left} of ${matched} bans are not ${words.done} yet; give the same command again`;
    throw new PlainError(text, EXIT.unavailable);
  }
}

/**
 * Waits as long as the number of bans that are left falls; returns that number. A coordinator that
 * changes many bans on a busy machine may leave a question unanswered: it is asked again.
 */
export async function untilDone(
  pending: number,
  look: () => Promise<number>,
  askAgainMs = ASK_AGAIN_MS,
): Promise<number> {
  let left = pending;
  for (let idle = 0; left > 0 && idle < GIVE_UP_AFTER; idle += 1) {
    await sleep(askAgainMs);
    const found = await look().catch((error: unknown) => {
      if (error instanceof PlainError && error.exitCode === EXIT.unavailable) return left;
      throw error;
    });
    if (found < left) idle = 0;
    left = found;
  }
  return left;
}

function printPreview({ output }: Context, preview: ManyBansReply, would: string): void {
  const { matched, spared, byJail, byHost, byMaker, byPolicyVersion = [] } = preview;
  output.line(matched === 0 ? "no ban matches" : describe(matched, preview, would));
  if (matched > 0) {
    output.facts([
      ...rowsOf("in jail", byJail),
      ...rowsOf("caused by", byHost),
      ...rowsOf("made by", byMaker),
      ...rowsOf("by policy version", byPolicyVersion),
    ]);
  }
  if (spared > 0) {
    output.note(`${spared} stay held: on the allowlist, or addresses of the fleet's own machines`);
  }
  noteHeld({ output }, preview);
}

/** "3 bans lifted", "2 bans lifted, 1 cut back to what an operator has commanded". */
function describe(bans: number, { ordered = 0 }: ManyBansReply, done: string): string {
  if (ordered === 0) return `${count(bans, "ban")} ${done}`;
  const cutBack = `${ordered} cut back to what an operator has commanded`;
  return `${count(Math.max(bans - ordered, 0), "ban")} ${done}, ${cutBack}`;
}

function noteHeld({ output }: Pick<Context, "output">, { held = 0 }: ManyBansReply): void {
  if (held === 0) return;
  output.note(`${held} more ${held === 1 ? "is" : "are"} held: fleetban ban discard drops them`);
}

function rowsOf(label: string, numbers: ManyBansReply["byJail"]): Cell[][] {
  return numbers.map(({ name, bans }) => [`  ${label}`, name, String(bans)]);
}
