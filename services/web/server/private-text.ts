/** Files that coordinator.yaml names for the web page. */
import { readFileSync } from "node:fs";
import { EXIT, PlainError } from "../../process/exit.ts";
import { whyExposed, whyUnreadable } from "../../process/private-file.ts";

/** Throws a PlainError if it cannot be read. */
export function readFile(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const text = `${option}: ${file}: cannot be read: ${whyUnreadable(file, cause)}`;
    throw new PlainError(text, EXIT.config, { cause });
  }
}

/** Of a secret: throws a PlainError also if others may read it. */
export function readPrivateFile(option: string, file: string): string {
  const text = readFile(option, file);
  const exposed = whyExposed(file);
  if (exposed !== undefined) throw new PlainError(`${option}: ${file}: ${exposed}`, EXIT.config);
  return text;
}
