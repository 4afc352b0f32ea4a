/** Asks before a command changes much. */
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { EXIT, SilentExit } from "../process/exit.ts";
import { UsageError } from "./arguments.ts";
import type { Context } from "./context.ts";

/** Commands that ask before they act read the answer from here. */
export interface AskingContext extends Context {
  stdin: Readable & { isTTY?: boolean };
}

/** Throws where the answer is no, or where nobody can be asked. `what` is what would be done. */
export async function confirm(
  { stdin, output }: Pick<AskingContext, "stdin" | "output">,
  where: string,
  what: string,
): Promise<void> {
  if (stdin.isTTY !== true) {
    throw new UsageError(`${where}: ${what}; expected --yes to do it, or --dry-run only to look`);
  }
  output.note(`${what}. Go on? [y/N]`);
  const lines = createInterface({ input: stdin });
  for await (const line of lines) {
    lines.close();
    if (/^y(?:es)?$/i.test(line.trim())) return;
    break;
  }
  output.note("nothing was changed");
  throw new SilentExit(EXIT.refused);
}
