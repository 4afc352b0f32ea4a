/** Every host that the fleet knows, from all pages of the coordinator's answer. */
import type { Reply } from "../wire/api.ts";
import type { Context } from "./context.ts";
import { readPages } from "./pages.ts";

export function listHosts({ ask }: Pick<Context, "ask">): Promise<Reply<"host.list">> {
  return readPages("hosts", Infinity, ({ after }) => ask("host.list", { after }));
}
