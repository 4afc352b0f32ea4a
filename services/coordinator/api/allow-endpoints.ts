/** `fleetban allow list|add|remove`. */
import { overlaps, type Address } from "../../wire/address.ts";
import { ban as banSchema, isDue, type Ban } from "../../wire/ban.ts";
import { allowed as allowedSchema } from "../../wire/settings.ts";
import { isSpared, settleAllowed, spareBan } from "../../policy/spared-ban.ts";
import { inSlices } from "../../process/slices.ts";
import type { Step } from "../buckets/ban-store.ts";
import type { ApiContext } from "./api-context.ts";
import { changeMany, type ManyChanges } from "./change-many.ts";
import { behind, firstRows, pageOf } from "./page.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

type AllowEndpoints = Pick<Endpoints, "allow.list" | "allow.add" | "allow.remove">;

export function allowEndpoints(context: ApiContext): AllowEndpoints {
  const { settings, now } = context;
  const find = settings.allowlist.get;

  return {
    "allow.list"({ limit, after = null }) {
      const marked = settings.allowlist
        .list()
        .map((row) => ({ row, mark: `${String(row.addedAt).padStart(15, "0")}/${row.address}` }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const { rows, next } = pageOf(behind(marked, after), allowedSchema, limit);
      return { allowed: rows, total: marked.length, next };
    },

    async "allow.add"({ address, comment, label, seconds }, by) {
      const known = find(address);
      const about = comment === "" ? (known?.comment ?? "") : comment;
      const made = { v: 1 as const, address, comment: about, addedAt: now(), by };
      const named = label ?? known?.label;
      const end = seconds === undefined ? {} : { until: now() + seconds * 1000 };
      // An entry that ends, or is to end, gets the end that is asked for now.
      const isLabelled = label !== undefined && label !== known?.label;
      const isOther = seconds !== undefined || known?.until !== undefined || isLabelled;
      const isKept = known !== undefined && (known.origin === "config" || !isOther);
      const allowed = isKept
        ? known
        : {
            ...{ ...made, ...end, origin: "operator" as const },
            ...(named !== undefined && { label: named }),
          };
      if (!isKept) await settings.allow(allowed);
      const { first, changed, pending } = await liftOverlapping(context, address, by);
      return {
        allowed,
        changed: !isKept,
        lifted: firstRows(first, banSchema),
        liftedCount: changed,
        pending,
      };
    },

    async "allow.remove"({ address }, by) {
      const allowed = find(address);
      if (!allowed) throw new ApiError(404, `${address}: is not on the allowlist`);
      if (allowed.origin === "config") {
        const place = "the coordinator's configuration, allowlist";
        throw new ApiError(409, `${address}: comes from ${place}; remove it there`);
      }
      await settings.disallow(address, by);
      const { first, changed, pending } = await bringBackWithin(context, address);
      return { allowed, back: firstRows(first, banSchema), backCount: changed, pending };
    },
  };
}

/** Lifts every ban that has an address in common with `address`; goes on after it has answered. */
async function liftOverlapping(
  context: ApiContext,
  address: Address,
  by: string,
): Promise<ManyChanges> {
  const { bans, now, newId } = context;
  const found: Ban[] = [];
  await inSlices(bans.entries(), ({ ban }) => {
    if (isDue(ban, now()) && overlaps(ban.address, address)) found.push(ban);
  });
  const lift: Step = (present) =>
    present && spareBan(present, { address, by }, { now: now(), id: newId() });
  return changeMany(context, found, () => lift, {
    ...{ work: "lifts bans of an allowlisted address", facts: { address } },
    remedy: `fleetban allow add ${address} lifts the others`,
  });
}

/** Brings back what the allowlist has lifted, is still due, and is covered by no other entry. */
async function bringBackWithin(context: ApiContext, address: Address): Promise<ManyChanges> {
  const { bans, settings, now, newId } = context;
  const { find } = settings.allowlist;
  const found: Ban[] = [];
  await inSlices(bans.entries(), ({ ban }) => {
    const isFree = isSpared(ban, now()) && overlaps(ban.address, address);
    if (isFree && find(ban.address) === undefined) found.push(ban);
  });
  const step =
    (ban: Ban): Step =>
    (present) =>
      settleAllowed(present, find(ban.address), { now: now(), id: newId() });
  return changeMany(context, found, step, {
    ...{ work: "brings back bans of an address that is no longer allowed", facts: { address } },
    remedy: "the coordinator that decides brings back the others",
  });
}
