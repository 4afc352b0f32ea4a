/** `fleetban ban list`. */
import { overlaps } from "../../wire/address.ts";
import type { Request } from "../../wire/api.ts";
import { awaitsRelease, ban as banSchema, isInForce, isShadow, type Ban } from "../../wire/ban.ts";
import { banKey } from "../../wire/subjects.ts";
import { firstInSlices } from "../../process/slices.ts";
import type { BanEntry } from "../buckets/ban-store.ts";
import { fromHistory, staleRecord } from "../history/stale-answers.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { createBanFilter } from "./ban-filter.ts";
import { fromRecord } from "./from-record.ts";
import { firstAfter, pageOf, type Page } from "./page.ts";

type ListContext = Pick<ApiContext, "bans" | "history" | "jails" | "now">;
type Query = Request<"ban.list">;

export function banListEndpoint(context: ListContext): Pick<Endpoints, "ban.list"> {
  return {
    async "ban.list"(query) {
      if (query.jail !== undefined) jailNamed(context, query.jail);
      const { rows, total, next, stale } = query.all
        ? await recorded(context, query)
        : { ...(await inForce(context, query)), stale: null };
      return { bans: rows, total, next, stale };
    },
  };
}

/** What a request may name without a look at every ban. */
const OF_EVERY_LIST: ReadonlySet<string> = new Set(["jail", "all", "limit", "after"]);

type BanPage = Page<Ban> & { total: number };

/** A page of the bans in force, and how many there are on all pages. */
function inForce(context: ListContext, query: Query): Promise<BanPage> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  const isFiltered = given.some(([name]) => !OF_EVERY_LIST.has(name));
  return isFiltered ? filtered(context, query) : unfiltered(context, query);
}

const isShown = (ban: Ban, at: number) => isInForce(ban, at) || isShadow(ban, at);

/** Reads little more bans than the page has, for there may be a million. */
async function unfiltered({ bans, now }: ListContext, query: Query): Promise<BanPage> {
  const { jail, limit, after } = query;
  const at = now();
  const found = await firstInSlices(bans.entriesBehind(after, jail), limit + 1, ({ ban }) =>
    isShown(ban, at),
  );
  const marked = found.map(({ key, ban }) => ({ row: ban, mark: key }));
  const counted = bans
    .countDue(at)
    .filter((each) => each.state !== "held" && (jail === undefined || each.jail === jail));
  const total = counted.reduce((sum, { count }) => sum + count, 0);
  return { ...pageOf(marked, banSchema, limit), total };
}

async function filtered({ bans, now }: ListContext, query: Query): Promise<BanPage> {
  const { jail, address, held = false, limit, after } = query;
  const at = now();
  const isWantedState = held ? awaitsRelease : isShown;
  const passes = createBanFilter(query, at);
  const entries: Iterable<Entry> = held ? heldEntries(bans.held()) : bans.entriesAt(query);
  // Bans of a network may be far behind others in the order of all keys.
  const isAnywhere = !held && address === undefined && query.within === undefined;
  const { first, total } = await firstAfter<Entry>(entries, {
    isWanted: ({ ban }) =>
      isWantedState(ban, at) &&
      (jail === undefined || ban.jail === jail) &&
      passes(ban) &&
      (address === undefined || overlaps(ban.address, address)),
    nameOf: ({ key }) => key,
    after,
    count: limit + 1,
    inOrder: isAnywhere ? () => bans.entriesBehind(after, jail) : undefined,
  });
  const found = first.map(({ row, mark }) => ({ row: row.ban, mark }));
  return { ...pageOf(found, banSchema, limit), total };
}

type Entry = Pick<BanEntry, "key" | "ban">;

function* heldEntries(bans: Iterable<Ban>): Generator<Entry> {
  for (const ban of bans) yield { key: banKey(ban.jail, ban.address), ban };
}

/** A page of the record; of the bans in force, where a list began without PostgreSQL. */
async function recorded(context: ListContext, query: Query) {
  const { after } = query;
  const isOfRecord = after !== null && /^\d+$/.test(after);
  if (after !== null && !isOfRecord) {
    return { ...(await inForce(context, query)), stale: "PostgreSQL could not be asked before" };
  }
  const ask = () => recordPage(context, query);
  const { value, stale } = isOfRecord
    ? { value: await fromRecord(ask), stale: null }
    : await fromHistory(ask, undefined);
  if (!value) return { ...(await inForce(context, query)), stale };
  return { ...value, total: value.rows.length, stale: staleRecord(context) };
}

async function recordPage({ history, now }: ListContext, query: Query): Promise<Page<Ban>> {
  const { limit } = query;
  const found = await history.bans({ ...query, now: now(), limit: limit + 1 });
  return pageOf(found, banSchema, limit);
}
