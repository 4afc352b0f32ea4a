/** Writes a file that only its owner may read. */
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { EXIT, PlainError } from "../process/exit.ts";
import { explainFileError, isErrno } from "../process/file-error.ts";
import { UsageError } from "./arguments.ts";
import { quote } from "./visible.ts";

/** Throws where a file is there already, because it may be an earlier one. */
export async function writePrivately(where: string, file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    if (isErrno(cause, "EEXIST")) {
      throw new UsageError(`${where}: ${quote(file)}: is there already, expected a new file`, {
        cause,
      });
    }
    const isGone = isErrno(cause, "ENOENT");
    const folder = quote(dirname(file));
    const why = isGone ? `there is no folder ${folder}: make it first` : explainFileError(cause);
    const reason = `cannot be written: ${why}`;
    throw new PlainError(`${where}: ${quote(file)}: ${reason}`, EXIT.noInput, { cause });
  }
}
