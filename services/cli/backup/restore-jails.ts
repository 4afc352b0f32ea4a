/** What operators had set of jails, and which jails they had paused, put back from a backup. */
import { EXIT, PlainError } from "../../process/exit.ts";
import type { JailRow } from "../../wire/api.ts";
import type { Context } from "../context.ts";
import { listJails } from "../list-jails.ts";
import type { BackupFile } from "./backup-file.ts";

export interface RestoredJails {
  settings: number;
  pauses: number;
}

type Changes = Pick<BackupFile, "jailSettings" | "pauses">;
type Setting = Changes["jailSettings"][number];
type Pause = Changes["pauses"][number];

/** What has ended, and what is set or paused there now, stays as it is. */
export async function restoreJails(
  context: Context,
  backup: Changes,
  dryRun: boolean,
): Promise<RestoredJails> {
  const { ask } = context;
  const { jails } = await listJails(context);
  const present = new Map(jails.map((row) => [row.jail.name, row]));
  const settings = backup.jailSettings.filter((each) => isMissing(present.get(each.jail), each));
  const pauses = backup.pauses.filter(({ jail }) => isRunning(present.get(jail)));
  const restored: RestoredJails = { settings: 0, pauses: 0 };
  for (const setting of settings) {
    const seconds = secondsLeft(context, setting);
    if (seconds === 0) continue;
    const { jail, option, value } = setting;
    const isDone =
      dryRun || (await isTaken(context, () => ask("jail.set", { jail, option, value, seconds })));
    if (isDone) restored.settings += 1;
  }
  for (const pause of pauses) {
    const seconds = secondsLeft(context, pause);
    if (seconds === 0) continue;
    const { jail, reason } = pause;
    const isDone =
      dryRun || (await isTaken(context, () => ask("jail.pause", { jail, seconds, reason })));
    if (isDone) restored.pauses += 1;
  }
  return restored;
}

function isMissing(row: JailRow | undefined, { option }: Setting): boolean {
  return (
    row !== undefined && !(row.settings ?? []).some(({ setting }) => setting.option === option)
  );
}

function isRunning(row: JailRow | undefined): boolean {
  return row !== undefined && row.pause === undefined;
}

/** undefined: it does not end by itself; 0: it has ended. */
function secondsLeft(
  { now }: Context,
  { until }: Pick<Setting, "until"> | Pick<Pause, "until">,
): number | undefined {
  if (until === undefined || until === null) return undefined;
  return Math.max(Math.ceil((until - now()) / 1000), 0);
}

/** A setting that coordinator.yaml of today does not allow is noted, and left out. */
async function isTaken({ output }: Context, change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    const isRefusal =
      error instanceof PlainError &&
      (error.exitCode === EXIT.usage || error.exitCode === EXIT.refused);
    if (!isRefusal) throw error;
    output.note(`left out: ${error.message}`);
    return false;
  }
}
