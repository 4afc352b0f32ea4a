/** `fleetban allow list|add|remove`. */
import { overlaps } from "../../wire/address.ts";
import { ban as banSchema, isDue, type Ban } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { allowed as allowedSchema, type Allowed } from "../../wire/settings.ts";
import { createAllowlist, type AllowedPlace, type Allowlist } from "../../policy/allowlist.ts";
import { isSpared, settleAllowed, spareBan } from "../../policy/spared-ban.ts";
import { inSlices } from "../../process/slices.ts";
import type { Step } from "../buckets/ban-store.ts";
import { jailNamed, nameBan, type ApiContext } from "./api-context.ts";
import { changeMany, type ManyChanges } from "./change-many.ts";
import { behind, firstRows, pageOf } from "./page.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

type AllowEndpoints = Pick<Endpoints, "allow.list" | "allow.show" | "allow.add" | "allow.remove">;

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

    "allow.show"({ address, jail }) {
      if (jail !== undefined) jailNamed(context, jail);
      const { allowlist } = settings;
      const all = allowlist.findAll(address);
      const ofEvery = all.find((entry) => entry.jail === undefined);
      const allowed = jail === undefined ? ofEvery : allowlist.find(address, jail);
      const inJails = jail === undefined ? all.filter((entry) => entry.jail !== undefined) : [];
      return {
        allowed: allowed ?? null,
        inJails: firstRows(inJails, allowedSchema),
        machine: context.machines.find(address) ?? null,
      };
    },

    async "allow.add"({ address, jail, comment, label, seconds, dryRun = false }, by) {
      if (jail !== undefined) jailNamed(context, jail);
      const place = { address, ...(jail !== undefined && { jail }) };
      const until = seconds === undefined ? undefined : now() + seconds * 1000;
      const wanted = { place, comment, label, until, by, now: now() };
      const { allowed, isNew } = nextEntry(find(place), wanted);
      if (isNew && !dryRun) await settings.allow(allowed);
      const { first, changed, pending } = await (dryRun
        ? previewCovered(context, place, by)
        : liftCovered(context, [place], by));
      return {
        allowed,
        changed: isNew,
        lifted: firstRows(first, banSchema),
        liftedCount: changed,
        pending,
      };
    },

    async "allow.remove"({ address, jail, reason }, by) {
      const place = { address, ...(jail !== undefined && { jail }) };
      const allowed = find(place);
      if (!allowed) throw new ApiError(404, describeMissing(settings, place));
      if (allowed.origin === "config") {
        const place = "the coordinator's configuration, allowlist";
        throw new ApiError(409, `${address}: comes from ${place}; remove it there`);
      }
      await settings.disallow(place, by, reason);
      const { first, changed, pending } = await bringBackWithin(context, place);
      return { allowed, back: firstRows(first, banSchema), backCount: changed, pending };
    },
  };
}

/** The address may have another entry: for every jail, or for others. */
function describeMissing({ allowlist }: ApiContext["settings"], { address, jail }: AllowedPlace) {
  const missing = `${nameBan(address, jail)}: is not on the allowlist`;
  const [other] = allowlist.list().filter((entry) => entry.address === address);
  if (!other) return missing;
  const only = other.jail === undefined ? "" : ` --jail ${other.jail}`;
  return `${missing} as such; fleetban allow remove ${address}${only} removes the entry that it has`;
}

/** In the order in which entries were added. */
const markOf = ({ addedAt, address, jail }: Allowed): string =>
  `${String(addedAt).padStart(15, "0")}/${address}${jail === undefined ? "" : ` ${jail}`}`;

/** Does an entry for the place cover bans of `ban`'s jail, and have an address in common with it? */
const covers = (place: AllowedPlace, ban: Ban): boolean =>
  (place.jail === undefined || place.jail === ban.jail) && overlaps(ban.address, place.address);

export interface WantedEntry {
  place: AllowedPlace;
  /** Empty: the comment that the entry has stays. */
  comment: string;
  /** undefined: the label that the entry has stays. */
  label?: string | undefined;
  /** undefined: it does not end. */
  until: number | undefined;
  by: string;
  now: number;
}

/** The entry as it is to be; `isNew`: it differs from the present one and is to be written. */
export function nextEntry(
  known: Allowed | undefined,
  { place, comment, label, until, by, now }: WantedEntry,
): { allowed: Allowed; isNew: boolean } {
  const named = label ?? known?.label;
  // An entry that ends, or is to end, gets the end that is asked for now.
  const isLabelled = label !== undefined && label !== known?.label;
  const isOther = until !== undefined || known?.until !== undefined || isLabelled;
  if (known !== undefined && (known.origin === "config" || !isOther)) {
    return { allowed: known, isNew: false };
  }
  const about = comment === "" ? (known?.comment ?? "") : comment;
  const allowed = {
    ...{ v: 1 as const, ...place, comment: about, addedAt: now, by, origin: "operator" as const },
    ...(until !== undefined && { until }),
    ...(named !== undefined && { label: named }),
  };
  return { allowed, isNew: true };
}

/** Lifts every ban that one of the new entries covers; goes on after it has answered. */
export async function liftCovered(
  context: ApiContext,
  places: readonly AllowedPlace[],
  by: string,
): Promise<ManyChanges> {
  const { now, newId } = context;
  const covering = createAllowlist(places.map((place) => entryFor(place, by, now())));
  const found = await findCovered(context, places, covering);
  const lift =
    (ban: Ban): Step =>
    (present) => {
      const entry = covering.find(ban.address, ban.jail);
      return present && entry && spareBan(present, entry, { now: now(), id: newId() });
    };
  const [{ address, jail } = { address: "", jail: undefined }] = places;
  const only = jail === undefined ? "" : ` --jail ${jail}`;
  const remedy =
    places.length === 1
      ? `fleetban allow add ${address}${only} lifts the others`
      : "the coordinator that decides lifts the others";
  return changeMany(context, found, lift, {
    ...{ work: "lifts bans of allowlisted addresses", remedy },
    facts: { address, jail, entries: places.length },
  });
}

/** The bans that a new entry would lift. */
async function previewCovered(
  context: ApiContext,
  place: AllowedPlace,
  by: string,
): Promise<ManyChanges> {
  const covering = createAllowlist([entryFor(place, by, context.now())]);
  const found = await findCovered(context, [place], covering);
  return { first: found.slice(0, FIRST), changed: found.length, pending: 0 };
}

async function findCovered(
  { bans, now }: Pick<ApiContext, "bans" | "now">,
  places: readonly AllowedPlace[],
  covering: Pick<Allowlist, "find">,
): Promise<Ban[]> {
  const found: Ban[] = [];
  const [place = {}, ...others] = places;
  const entries = others.length === 0 ? bans.entriesAt(place) : bans.entries();
  await inSlices(entries, ({ ban }) => {
    const isCovered = covering.find(ban.address, ban.jail) !== undefined;
    if (isCovered && isDue(ban, now())) found.push(ban);
  });
  return found;
}

const entryFor = (place: AllowedPlace, by: string, now: number): Allowed => ({
  ...{ v: 1, ...place, by, comment: "", addedAt: now, origin: "operator" },
});

/** Brings back what the allowlist has lifted, is still due, and is covered by no other entry. */
async function bringBackWithin(context: ApiContext, place: AllowedPlace): Promise<ManyChanges> {
  const { bans, settings, now, newId } = context;
  const { find } = settings.allowlist;
  const found: Ban[] = [];
  await inSlices(bans.entriesAt(place), ({ ban }) => {
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
