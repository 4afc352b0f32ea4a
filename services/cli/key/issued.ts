/**
 * The public keys of all credentials that were made, oldest first: their files go to
 * other machines and are lost, but whoever has them must be revocable.
 */
import * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { ROLES } from "../../wire/rights.ts";
import type { KeyFolder } from "./key-folder.ts";

const issued = z.object({
  role: z.enum(ROLES),
  name: z.string(),
  /** NATS's public key of the user, "U...". */
  key: z.string().startsWith("U"),
  /** ISO 8601. */
  at: z.string(),
  /** When they run out; null: never. */
  until: z.string().nullable(),
});
export type Issued = z.infer<typeof issued>;

const FILE = "issued.jsonl";

export function readIssued(folder: KeyFolder): Issued[] {
  if (!folder.has(FILE)) return [];
  const lines = folder.read(FILE).split("\n");
  return lines.flatMap((line, index) => {
    if (line === "") return [];
    try {
      return [issued.parse(JSON.parse(line))];
    } catch (cause) {
      const expected = "expected what fleetban key has written";
      throw new PlainError(`${folder.at(FILE)}:${index + 1}: ${expected}`, EXIT.config, { cause });
    }
  });
}

export function noteIssued(folder: KeyFolder, entry: Issued): void {
  const before = folder.has(FILE) ? folder.read(FILE) : "";
  folder.write(FILE, `${before}${JSON.stringify(entry)}\n`);
}
