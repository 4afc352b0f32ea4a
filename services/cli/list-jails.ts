/** Every jail of the policy in use, from all pages of the coordinator's answer. */
import type { Reply } from "../wire/api.ts";
import type { Context } from "./context.ts";
import { readPages } from "./pages.ts";

export function listJails({ ask }: Pick<Context, "ask">): Promise<Reply<"jail.list">> {
  return readPages("jails", Infinity, ({ after }) => ask("jail.list", { after }));
}
