/** `fleetban restore FILE`: puts a backup back; what is there and lasts as long stays. */
import { Command } from "commander";
import { EXIT, PlainError } from "../../process/exit.ts";
import { encodeBan, type Ban } from "../../wire/ban.ts";
import type { AllowImportRow } from "../../wire/list-import.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import type { Jail } from "../../wire/settings.ts";
import { confirm, type AskingContext } from "../confirm.ts";
import { listJails } from "../list-jails.ts";
import { readListSource } from "../lists/list-source.ts";
import {
  noteRefused,
  partsOf,
  partsThatFit,
  sendParts,
  sumOf,
  type Outcome,
} from "../lists/send-list.ts";
import { count } from "../../config/count.ts";
import { formatBoth } from "../time.ts";
import { parseBackup, type BackupFile } from "./backup-file.ts";
import { restoreJails, type RestoredJails } from "./restore-jails.ts";

interface RestoreOptions {
  dryRun?: true;
  yes?: true;
}

const WHERE = "restore";
/** Entries of one request; with the longest texts they fit into one message. */
const ENTRIES = 250;

export function restoreCommand(context: AskingContext): Command {
  const { output, stdin, now } = context;
  return new Command("restore")
    .description("put bans, allowlist and what operators have set of a backup back")
    .argument("<file>", "what fleetban backup has written; -: stdin")
    .option("--dry-run", "only say what would be done")
    .option("--yes", "do not ask")
    .addHelpText("after", MORE)
    .action(async (source: string, { dryRun, yes }: RestoreOptions) => {
      const bytes = await readListSource({ where: WHERE, source, stdin });
      const backup = parseBackup(WHERE, bytes.toString("utf8"));
      output.line(`backup of ${formatBoth(backup.madeAt, now())}`);
      await noteOtherJails(context, backup.jails);
      if (dryRun || !yes) {
        const preview = await restore(context, backup, true);
        tell(context, preview, "would be restored");
        const { bans, allowed, quarantines, jails } = preview;
        const total = bans.added + allowed.added + quarantines + jails.settings + jails.pauses;
        if (dryRun) return;
        if (total === 0) {
          output.line("there is nothing to do");
          return;
        }
        await confirm(context, WHERE, "all of this would be restored");
      }
      tell(context, await restore(context, backup, false), "restored");
    });
}

const bytesOf = (ban: Ban): number => encodeBan(ban).length + 1;

interface Restored {
  bans: Outcome;
  allowed: Outcome;
  quarantines: number;
  jails: RestoredJails;
}

/** The allowlist comes first: a ban that it covers is left out, and not lifted right after. */
async function restore(
  context: AskingContext,
  backup: BackupFile,
  dryRun: boolean,
): Promise<Restored> {
  const { ask } = context;
  const rows = backup.allowed.map(rowOf);
  const allowed = await sendParts(
    context,
    partsOf(rows, ENTRIES).map((part) => ({ rows: part })),
    (part) => ask("allow.import", { ...part, comment: "", dryRun }),
  );
  const bans = await sendParts(
    context,
    partsThatFit<Ban>(backup.bans, MAX_ROWS, bytesOf).map((part) => ({ rows: part })),
    (part) => ask("ban.restore", { bans: part.rows, dryRun }),
  );
  const quarantines = await restoreQuarantines(context, backup, dryRun);
  const jails = await restoreJails(context, backup, dryRun);
  return { bans: sumOf(bans), allowed: sumOf(allowed), quarantines, jails };
}

function rowOf(entry: BackupFile["allowed"][number]): AllowImportRow {
  const { address, jail, until, comment, label } = entry;
  return {
    ...{ address, comment, until: until ?? null },
    ...(jail !== undefined && { jail }),
    ...(label !== undefined && { label }),
  };
}

/** Returns how many hosts are put into quarantine. A host that is not there is noted. */
async function restoreQuarantines(
  { ask, output }: AskingContext,
  { quarantines }: BackupFile,
  dryRun: boolean,
): Promise<number> {
  let done = 0;
  for (const { host, quarantine } of quarantines) {
    if (dryRun) {
      done += 1;
      continue;
    }
    try {
      const { reason } = quarantine;
      const { changed } = await ask("host.quarantine", { host, undo: false, reason });
      if (changed) done += 1;
    } catch (error) {
      if (!(error instanceof PlainError) || error.exitCode !== EXIT.refused) throw error;
      output.note(`left out: quarantine of ${error.message}`);
    }
  }
  return done;
}

async function noteOtherJails(
  context: AskingContext,
  jails: readonly Pick<Jail, "name">[],
): Promise<void> {
  const { jails: present } = await listJails(context);
  const names = new Set(present.map(({ jail }) => jail.name));
  const missing = jails.filter(({ name }) => !names.has(name)).map(({ name }) => name);
  if (missing.length === 0) return;
  const text = `jails of the backup that are not there: ${missing.join(", ")}; their bans are left out`;
  context.output.note(`${text} until coordinator.yaml has these jails`);
}

function tell(context: AskingContext, restored: Restored, done: string): void {
  const { output } = context;
  const { bans, allowed, quarantines, jails } = restored;
  noteRefused(context, bans);
  noteRefused(context, allowed);
  output.line(`${describe(bans, "ban", "bans")} ${done}${describeRest(bans)}`);
  output.line(
    `${describe(allowed, "entry", "entries")} of the allowlist ${done}${describeRest(allowed)}`,
  );
  if (quarantines > 0) output.line(`${count(quarantines, "quarantine")} ${done}`);
  if (jails.settings > 0) output.line(`${count(jails.settings, "jail setting")} ${done}`);
  if (jails.pauses > 0) output.line(`${count(jails.pauses, "pause")} ${done}`);
}

const describe = ({ added }: Outcome, one: string, many: string) => count(added, one, many);

function describeRest({ kept, refusedCount }: Outcome): string {
  const there = kept === 0 ? "" : `, ${kept} ${kept === 1 ? "was" : "were"} there already`;
  return refusedCount === 0 ? there : `${there}, ${refusedCount} left out`;
}

const MORE = `
A restored ban keeps its end, reason and evidence; the record says who has
restored it. What is there and lasts as long stays as it is, so a restore that
was interrupted goes on when the same command is given again. What has ended
meanwhile does not come back.

Examples:
  fleetban restore fleet.json --dry-run
  zcat fleet.json.gz | fleetban restore - --yes
`;
