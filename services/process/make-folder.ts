/** Makes a folder and the folders above it. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Not Node's `recursive`, which goes on for ever where the kernel answers ENOENT although the
 * folder above exists: below /proc, for instance. Throws what mkdir throws.
 */
export async function makeFolder(folder: string, mode = 0o700): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return; // whether it is a folder shows when it is used
    const above = dirname(folder);
    if (code !== "ENOENT" || above === folder) throw error;
    await makeFolder(above, mode);
    await mkdir(folder, { mode });
  }
}
