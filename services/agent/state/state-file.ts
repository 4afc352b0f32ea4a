/**
 * Files of the agent's state: written whole or not at all, and one write after the other. Each file
 * has one draft, so two writes of one file at a time would destroy each other's, and the older
 * content might win.
 */
import {
  access,
  constants,
  open,
  readdir,
  readFile,
  rename,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError, isErrno } from "../../process/file-error.ts";
import { makeFolder } from "../../process/make-folder.ts";
import { storageTrouble } from "./state-health.ts";

/**
 * Makes the state's folder, if there is none. Throws a PlainError where that is not permitted, and
 * calls `onAilment` where the storage ails, which is no reason to stop.
 */
export async function ensureStateDir(
  folder: string,
  onAilment: (error: unknown) => void,
): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (storageTrouble(cause) !== undefined) {
      onAilment(cause);
      return;
    }
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const message = `stateDir ${folder}: cannot be written to: ${code}`;
    throw new PlainError(message, EXIT.permission, { cause });
  }
}

/** The last write of each file that is being written. */
const lastWrites = new Map<string, Promise<void>>();

/** Writes after every write of the same file that was asked for before, whether it failed or not. */
function replace(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const before = lastWrites.get(path) ?? Promise.resolve();
  const written = before.catch(() => {}).then(() => replaceNow(path, write));
  lastWrites.set(path, written);
  const forget = () => {
    if (lastWrites.get(path) === written) lastWrites.delete(path);
  };
  written.then(forget, forget);
  return written;
}

/** Atomic also when the process or the machine dies meanwhile. */
async function replaceNow(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    try {
      await write(file);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    // What is left of it would take the last space of a full disk.
    await unlink(draft).catch(() => {});
    throw error;
  }
}

export function writeState(path: string, value: unknown): Promise<void> {
  return replace(path, (file) => file.writeFile(JSON.stringify(value)));
}

/** This many at once take a millisecond or so. */
const LINES_PER_SLICE = 250;

/** A line for each, in slices: others get their turn between them. */
export function writeStateLines(path: string, lines: Iterable<string>): Promise<void> {
  return replace(path, async (file) => {
    let slice: string[] = [];
    const flush = async () => {
      await file.writeFile(slice.map((line) => `${line}\n`).join(""));
      slice = [];
    };
    for (const line of lines) if (slice.push(line) === LINES_PER_SLICE) await flush();
    await flush();
  });
}

/** Empty: there is no such file. Throws a PlainError where it cannot be read. */
export async function readStateLines(path: string): Promise<string[]> {
  return ((await readText(path)) ?? "").split("\n").slice(0, -1);
}

/** undefined: there is none, or none that can be used. Throws a PlainError where it cannot be read. */
export async function readState<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** Throws a PlainError for the first file of the folder that cannot be read. */
export async function ensureStateReadable(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []); // No folder has no files.
  for (const name of names) {
    const path = join(folder, name);
    const file = await open(path).catch(rejectUnreadable(path));
    await file.close();
  }
}

/** undefined: there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    return rejectUnreadable(path)(error);
  }
}

/** Somebody has run the agent as root, for example: its files are root's. */
const rejectUnreadable = (path: string) => (cause: unknown) => {
  const reason = `${path}: ${explainFileError(cause)}`;
  if (!isErrno(cause, "EACCES")) throw new PlainError(reason, EXIT.unavailable, { cause });
  const remedy = `give it back, chown -R fleetban-agent: ${dirname(path)}`;
  throw new PlainError(`${reason}: ${remedy}`, EXIT.permission, { cause });
};
