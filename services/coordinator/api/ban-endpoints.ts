/** `fleetban ban add|remove`, and together with them `ban list|show`. */
import { ban as banSchema, isInForce, type Ban } from "../../wire/ban.ts";
import { scopeOf } from "../../wire/ban-scope.ts";
import { banByOperator, liftBan } from "../../policy/ban-lifecycle.ts";
import type { Written } from "../buckets/ban-store.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { banListEndpoint } from "./ban-list-endpoint.ts";
import { checkBannable, describeMissing } from "./ban-refusals.ts";
import { banShowEndpoint } from "./ban-show-endpoint.ts";
import { bansAround } from "./bans-around.ts";
import { firstRows, ROWS_BYTES } from "./page.ts";
import { createReaches } from "./reach.ts";

type BanEndpoints = Pick<Endpoints, "ban.list" | "ban.show" | "ban.add" | "ban.remove">;

export function banEndpoints(context: ApiContext): BanEndpoints {
  const { bans, now, newId } = context;
  const reaches = createReaches(context);

  return {
    ...banListEndpoint(context),
    ...banShowEndpoint(context),

    async "ban.add"(request, by) {
      const { address, seconds, reason, replace, wait, dryRun = false } = request;
      const jail = jailNamed(context, request.jail);
      checkBannable(context, address, jail.name);
      const since = performance.now();
      const order = { jail, address, seconds, reason, by, replace };
      const step = (present: Ban | undefined) =>
        banByOperator(present, order, context.newChange(jail, address));
      const planned = dryRun ? step(bans.get(jail.name, address)) : undefined;
      const written = dryRun ? undefined : await bans.change(jail.name, address, step);
      const ban = planned ?? written?.ban ?? bans.get(jail.name, address);
      if (!ban) {
        throw new ApiError(503, `${address}: the ban was lifted by somebody else meanwhile`);
      }
      if (dryRun) return { ban, changed: planned !== undefined, reach: null };
      const changes = written ? [written] : [];
      const isFor = scopeOf(ban, jail);
      const reach = await reaches.untilApplied({ banned: address }, changes, since, wait, isFor);
      return { ban, changed: written !== undefined, reach };
    },

    async "ban.remove"({ address, jail, reason, immunity, wait }, by) {
      if (jail !== undefined) jailNamed(context, jail);
      const since = performance.now();
      const written: Written[] = [];
      for (const { name, findtime } of context.jails()) {
        if (jail !== undefined && name !== jail) continue;
        const order = { by, reason, immunity: immunity ?? findtime };
        const change = await bans.change(name, address, (present) =>
          present && isInForce(present, now())
            ? liftBan(present, order, { now: now(), id: newId() })
            : undefined,
        );
        if (change) written.push(change);
      }
      if (written.length === 0) {
        throw new ApiError(404, await describeMissing(context, address, jail));
      }
      const reach = await reaches.untilApplied({ lifted: address }, written, since, wait);
      const lifted = written.map(({ ban }) => ban);
      return {
        bans: firstRows(lifted, banSchema, { bytes: ROWS_BYTES / 2 }),
        total: lifted.length,
        covered: firstRows(bansAround(context, address), banSchema, { bytes: ROWS_BYTES / 2 }),
        reach,
      };
    },
  };
}
