/** Small JSON files of the agent's state: written whole or not at all. */
import { access, constants, mkdir, open, readFile, rename } from "node:fs/promises";
import { z } from "zod";
import { EXIT, PlainError } from "../daemon/exit.ts";

/** Makes the state's folder, if there is none; throws a PlainError where that cannot be. */
export async function ensureStateDir(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    const message = `stateDir ${folder}: cannot be written to: ${code}`;
    throw new PlainError(message, EXIT.permission, { cause });
  }
}

/** Atomic also when the process or the machine dies meanwhile. */
export async function writeState(path: string, value: unknown): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(JSON.stringify(value));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
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
