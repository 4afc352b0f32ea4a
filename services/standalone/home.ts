/**
 * The folder of a standalone fleetban: its configuration, which the user may
 * edit, its passwords and its data. Only its owner may look inside.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { EXIT, PlainError } from "../process/exit.ts";
import { explainFileError, isErrno } from "../process/file-error.ts";
import { makeFolder } from "../process/make-folder.ts";

export interface Home {
  readonly folder: string;
  readonly secrets: Secrets;
  /** Creates the file with `text` unless it is there, and returns its path. */
  ensureFile(name: string, text: string): Promise<string>;
  writeFile(name: string, text: string): Promise<void>;
  /** Lets the next one in. */
  close(): Promise<void>;
}

const secrets = z.object({ nats: z.string(), postgres: z.string() });
type Secrets = z.infer<typeof secrets>;

/** Throws a PlainError when another standalone fleetban runs in it. */
export async function openHome(folder: string): Promise<Home> {
  try {
    await makeFolder(folder);
  } catch (cause) {
    const text = `${folder}: cannot be made: ${explainFileError(cause)}; FLEETBAN_HOME names another`;
    throw new PlainError(text, EXIT.permission, { cause });
  }
  const pidFile = join(folder, "standalone.pid");
  const running = await readFile(pidFile, "utf8").catch(() => "");
  if (isStandalone(running)) {
    throw new PlainError(
      `${folder}: fleetban already runs here, process ${running}`,
      EXIT.unavailable,
    );
  }
  await writeFile(pidFile, String(process.pid));
  return {
    folder,
    secrets: await ensureSecrets(join(folder, "secrets.json")),
    async ensureFile(name, text) {
      const path = join(folder, name);
      await writeFile(path, text, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
        if (!isErrno(error, "EEXIST")) throw error;
      });
      return path;
    },
    writeFile: (name, text) => writeFile(join(folder, name), text, { mode: 0o600 }),
    close: () => rm(pidFile, { force: true }),
  };
}

/** A process id may have gone to another program since it was written. */
function isStandalone(pid: string): boolean {
  if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("standalone");
  } catch {
    return false;
  }
}

async function ensureSecrets(path: string): Promise<Secrets> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text !== undefined) return secrets.parse(JSON.parse(text));
  const made = { nats: newPassword(), postgres: newPassword() };
  await writeFile(path, JSON.stringify(made), { mode: 0o600 });
  return made;
}

const newPassword = () => randomBytes(24).toString("base64url");
