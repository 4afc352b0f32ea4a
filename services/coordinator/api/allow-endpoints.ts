/** `fleetban allow list|add|remove`. */
import { overlaps } from "../../wire/address.ts";
import { ban as banSchema, isDue, type Ban } from "../../wire/ban.ts";
import { allowed as allowedSchema, type Allowed } from "../../wire/settings.ts";
import type { AllowedPlace } from "../../policy/allowlist.ts";
import { isSpared, settleAllowed, spareBan, type SparingEntry } from "../../policy/spared-ban.ts";
import { inSlices } from "../../process/slices.ts";
import type { Step } from "../buckets/ban-store.ts";
import { jailNamed, nameBan, type ApiContext } from "./api-context.ts";
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
        .map((row) => ({ row, mark: markOf(row) }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const { rows, next } = pageOf(behind(marked, after), allowedSchema, limit);
      return { allowed: rows, total: marked.length, next };
    },

    async "allow.add"({ address, jail, comment, label, seconds }, by) {
      if (jail !== undefined) jailNamed(context, jail);
      const place = { address, ...(jail !== undefined && { jail }) };
      const known = find(place);
      const about = comment === "" ? (known?.comment ?? "") : comment;
      const made = { v: 1 as const, ...place, comment: about, addedAt: now(), by };
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
      const { first, changed, pending } = await liftOverlapping(context, { ...place, by });
      return {
        allowed,
        changed: !isKept,
        lifted: firstRows(first, banSchema),
        liftedCount: changed,
        pending,
      };
    },

    async "allow.remove"({ address, jail }, by) {
      const place = { address, ...(jail !== undefined && { jail }) };
      const allowed = find(place);
      if (!allowed) throw new ApiError(404, describeMissing(place));
      if (allowed.origin === "config") {
        const place = "the coordinator's configuration, allowlist";
        throw new ApiError(409, `${address}: comes from ${place}; remove it there`);
      }
      await settings.disallow(place, by);
      const { first, changed, pending } = await bringBackWithin(context, place);
      return { allowed, back: firstRows(first, banSchema), backCount: changed, pending };
    },
  };

  /** The address may have another entry: for every jail, or for others. */
  function describeMissing({ address, jail }: AllowedPlace): string {
    const missing = `${nameBan(address, jail)}: is not on the allowlist`;
    const others = settings.allowlist.list().filter((entry) => entry.address === address);
    const [other] = others;
    if (!other) return missing;
    const only = other.jail === undefined ? "" : ` --jail ${other.jail}`;
    return `${missing} as such; fleetban allow remove ${address}${only} removes the entry that it has`;
  }
}

/** In the order in which entries were added. */
const markOf = ({ addedAt, address, jail }: Allowed): string =>
  `${String(addedAt).padStart(15, "0")}/${address}${jail === undefined ? "" : ` ${jail}`}`;

/** Does an entry for the place cover bans of `ban`'s jail, and have an address in common with it? */
const covers = (place: AllowedPlace, ban: Ban): boolean =>
  (place.jail === undefined || place.jail === ban.jail) && overlaps(ban.address, place.address);

/** Lifts every ban that the entry covers; goes on after it has answered. */
async function liftOverlapping(context: ApiContext, entry: SparingEntry): Promise<ManyChanges> {
  const { bans, now, newId } = context;
  const found: Ban[] = [];
  await inSlices(bans.entries(), ({ ban }) => {
    if (isDue(ban, now()) && covers(entry, ban)) found.push(ban);
  });
  const lift: Step = (present) => present && spareBan(present, entry, { now: now(), id: newId() });
  const { address, jail } = entry;
  const only = jail === undefined ? "" : ` --jail ${jail}`;
  return changeMany(context, found, () => lift, {
    ...{ work: "lifts bans of an allowlisted address", facts: { address, jail } },
    remedy: `fleetban allow add ${address}${only} lifts the others`,
  });
}

/** Brings back what the allowlist has lifted, is still due, and is covered by no other entry. */
async function bringBackWithin(context: ApiContext, place: AllowedPlace): Promise<ManyChanges> {
  const { bans, settings, now, newId } = context;
  const { find } = settings.allowlist;
  const found: Ban[] = [];
  await inSlices(bans.entries(), ({ ban }) => {
    const isFree = isSpared(ban, now()) && covers(place, ban);
    if (isFree && find(ban.address, ban.jail) === undefined) found.push(ban);
  });
  const step =
    (ban: Ban): Step =>
    (present) =>
      settleAllowed(present, find(ban.address, ban.jail), { now: now(), id: newId() });
  return changeMany(context, found, step, {
    ...{ work: "brings back bans of an address that is no longer allowed", facts: place },
    remedy: "the coordinator that decides brings back the others",
  });
}
