/** `fleetban key init`: a new fleet's keys. */
import { Command, Option } from "commander";
import { EXIT, PlainError } from "../../process/exit.ts";
import { JSON_OPTION, type JsonOption } from "../context.ts";
import { createIdentities } from "./identity.ts";
import type { KeyContext } from "./key.ts";
import { DEFAULT_FOLDER, keyFolderAt } from "./key-folder.ts";
import { BACKDATED_MS } from "./options.ts";

/** A host that trusts an authority does so until it has been given another. */
const AUTHORITY_YEARS = 20;
const YEAR_MS = 365.25 * 86_400_000;

interface InitOptions extends JsonOption {
  dir?: string;
}

export function initCommand({ output, now }: KeyContext): Command {
  return new Command("init")
    .description("make a fleet's keys: NATS's operator and accounts, the authority")
    .argument("[folder]", `where (default: ${DEFAULT_FOLDER})`)
    .addOption(new Option("--dir <folder>", "the same as the argument"))
    .option(...JSON_OPTION)
    .action(async (given: string | undefined, { dir, json }: InitOptions) => {
      const folder = keyFolderAt(given ?? dir ?? DEFAULT_FOLDER);
      // The last file that is written: without it, a start that failed may be repeated.
      if (folder.has("operator.seed")) {
        throw new PlainError(`${folder.path}: holds the keys of a fleet already`, EXIT.refused);
      }
      const { createAuthority } = await import("./authority.ts");
      const validity = { from: now() - BACKDATED_MS, until: now() + AUTHORITY_YEARS * YEAR_MS };
      const { certificate, key } = await createAuthority("fleetban CA", validity);
      folder.write("ca.pem", certificate);
      folder.write("ca.key", key);
      await createIdentities(folder);
      if (json) await output.jsonLine({ dir: folder.path });
      else {
        output.line(`${folder.path}: the keys of a new fleet`);
        output.note("keep it secret, and a copy of it in a safe place");
      }
    });
}
