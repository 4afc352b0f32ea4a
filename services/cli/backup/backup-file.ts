/**
 * The document of `fleetban backup`: bans, allowlist, quarantines and what operators have changed of
 * jails, as the wire spells them, and the jails that the bans were made by, to compare.
 */
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { ban } from "../../wire/ban.ts";
import { instant } from "../../wire/codec.ts";
import { allowed, jailSetting, quarantine, shownJail } from "../../wire/settings.ts";
import { JAIL_NAME, NAME } from "../../wire/subjects.ts";

export const backupFile = z.object({
  fleetban: z.literal("backup"),
  v: z.literal(1),
  madeAt: instant,
  /** Of the coordinator that has answered. */
  version: z.string(),
  bans: z.array(ban),
  /** Entries of operators; those of coordinator.yaml come back with that file. */
  allowed: z.array(allowed),
  quarantines: z.array(z.object({ host: z.string().regex(NAME), quarantine })),
  jails: z.array(shownJail),
  /** Options of jails that operators have set. */
  jailSettings: z.array(jailSetting).default([]),
  /** Jails that are paused. */
  pauses: z
    .array(
      z.object({
        jail: z.string().regex(JAIL_NAME),
        until: instant.nullable(),
        reason: z.string(),
      }),
    )
    .default([]),
});
export type BackupFile = z.infer<typeof backupFile>;

/** Throws a PlainError where the text is no backup. */
export function parseBackup(where: string, text: string): BackupFile {
  const fail = (reason: string, cause?: unknown) =>
    new PlainError(`${where}: expected what fleetban backup writes: ${reason}`, EXIT.usage, {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail("it is not JSON", cause);
  }
  const result = backupFile.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw fail(`${issue?.path.join(".") ?? ""} is wrong or missing`, result.error);
}
