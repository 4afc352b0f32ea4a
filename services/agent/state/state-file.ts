/**
 * Files of the agent's state: written whole or not at all, and one write after the other. Each file
 * has one draft, so two writes of one file at a time would destroy each other's, and the older
 * content might win.
 */
import {
  access,
  constants,
  open,
  readFile,
  rename,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { makeFolder } from "../../process/make-folder.ts";
import { storageTrouble } from "./state-health.ts";

/**
 * Makes the state's folder, if there is none. Throws a PlainError where that is not permitted, and
 * the error itself where the storage ails.
 */
export async function ensureStateDir(folder: string): Promise<void> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    if (storageTrouble(cause) !== undefined) throw cause;
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

/** Empty: there is no such file. */
export async function readStateLines(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").slice(0, -1);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** undefined: there is none, or none that can be used. */
export async function readState<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
