/** Every host that the fleet knows, from all pages of the coordinator's answer. */
import type { Reply } from "../wire/api.ts";
import type { Context } from "./context.ts";
import { readPages } from "./pages.ts";

export async function listHosts({ ask }: Pick<Context, "ask">): Promise<Reply<"host.list">> {
  let rest: Pick<Reply<"host.list">, "total" | "stale"> = { total: 0, stale: null };
  const { rows, next } = await readPages(Infinity, async ({ after }) => {
    const { hosts, next, ...others } = await ask("host.list", after === null ? {} : { after });
    rest = others;
    return { rows: hosts, next };
  });
  return { ...rest, hosts: rows, next };
}
