/** Every jail of the policy in use, from all pages of the coordinator's answer. */
import type { Reply } from "../wire/api.ts";
import type { Context } from "./context.ts";
import { readPages } from "./pages.ts";

export async function listJails({ ask }: Pick<Context, "ask">): Promise<Reply<"jail.list">> {
  let rest: Omit<Reply<"jail.list">, "jails" | "next"> = { total: 0, coordinator: "" };
  const { rows, next } = await readPages(Infinity, async ({ after }) => {
    const { jails, next, ...others } = await ask("jail.list", after === null ? {} : { after });
    rest = others;
    return { rows: jails, next };
  });
  return { ...rest, jails: rows, next };
}
