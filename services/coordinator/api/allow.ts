/** `fleetban allow list|add|remove`. */
import { overlaps } from "../../wire/address.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { liftBan } from "../../counting/policy.ts";
import type { ApiContext } from "./context.ts";
import { ApiError, type Endpoints } from "./server.ts";

type AllowEndpoints = Pick<Endpoints, "allow.list" | "allow.add" | "allow.remove">;

export function allowEndpoints(context: ApiContext): AllowEndpoints {
  const { bans, settings, now, newId } = context;
  const find = (address: string) =>
    settings.allowlist.list().find((entry) => entry.address === address);

  return {
    "allow.list": () => ({
      allowed: settings.allowlist.list().toSorted((a, b) => a.addedAt - b.addedAt),
    }),

    async "allow.add"({ address, comment }, by) {
      const known = find(address);
      const allowed = known ?? {
        v: 1,
        address,
        comment,
        addedAt: now(),
        by,
        origin: "operator" as const,
      };
      if (!known) await settings.allow(allowed);
      const lifted: Ban[] = [];
      for (const { ban } of [...bans.entries()]) {
        if (!isInForce(ban, now()) || !overlaps(ban.address, address)) continue;
        const order = { by, reason: `${address} was put on the allowlist`, immunity: 0 };
        const written = await bans.change(ban.jail, ban.address, (present) =>
          present && isInForce(present, now())
            ? liftBan(present, order, { now: now(), id: newId() })
            : undefined,
        );
        if (written) lifted.push(written.ban);
      }
      return { allowed, changed: known === undefined, lifted };
    },

    async "allow.remove"({ address }) {
      const allowed = find(address);
      if (!allowed) throw new ApiError(404, `${address}: is not on the allowlist`);
      if (allowed.origin === "config") {
        const place = "the coordinator's configuration, allowlist";
        throw new ApiError(409, `${address}: comes from ${place}; remove it there`);
      }
      await settings.disallow(address);
      return { allowed };
    },
  };
}
