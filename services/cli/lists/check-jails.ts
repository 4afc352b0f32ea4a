/** Are the jails that a list names there? */
import { EXIT, PlainError } from "../../process/exit.ts";
import type { Context } from "../context.ts";
import { listJails } from "../list-jails.ts";

/** Throws, before anything is changed, where one of them is not. */
export async function checkJails(
  { ask }: Pick<Context, "ask">,
  where: string,
  wanted: Iterable<string>,
): Promise<void> {
  const names = [...new Set(wanted)];
  if (names.length === 0) return;
  const { jails } = await listJails({ ask });
  const known = jails.map(({ jail }) => jail.name);
  const missing = names.filter((jail) => !known.includes(jail));
  if (missing.length === 0) return;
  const named = `the list names jails that are not there: ${missing.join(", ")}`;
  const remedy = `expected ${known.join(", ")}; --jail puts every entry into one jail`;
  throw new PlainError(`${where}: ${named}; ${remedy}`, EXIT.refused);
}
