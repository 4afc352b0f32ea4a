/** Small JSON files of the agent's state: written whole or not at all. */
import { open, readFile, rename } from "node:fs/promises";
import { z } from "zod";

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
