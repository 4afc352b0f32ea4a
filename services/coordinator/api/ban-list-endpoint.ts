/** `fleetban ban list`. */
import { overlaps } from "../../wire/address.ts";
import type { Request } from "../../wire/api.ts";
import { awaitsRelease, ban as banSchema, isInForce, isShadow, type Ban } from "../../wire/ban.ts";
import { banKey } from "../../wire/subjects.ts";
import { fromHistory, staleRecord } from "../history/stale-answers.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { passesFilter } from "./ban-filter.ts";
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

/** A page of the bans in force, or held. The page is that of one instant. */
async function inForce(
  { bans, now }: ListContext,
  query: Query,
): Promise<Page<Ban> & { total: number }> {
  const { jail, address, held = false, limit, after } = query;
  const at = now();
  const isWantedState = held ? awaitsRelease : isShown;
  const { first, total } = await firstAfter<Entry>(held ? entriesOf(bans.held()) : bans.entries(), {
    isWanted: ({ ban }) =>
      isWantedState(ban, at) &&
      passesFilter(ban, query, at) &&
      (jail === undefined || ban.jail === jail) &&
      (address === undefined || overlaps(ban.address, address)),
    nameOf: ({ key }) => key,
    after,
    count: limit + 1,
  });
  const found = first.map(({ row, mark }) => ({ row: row.ban, mark }));
  return { ...pageOf(found, banSchema, limit), total };
}

interface Entry {
  key: string;
  ban: Ban;
}

const isShown = (ban: Ban, at: number) => isInForce(ban, at) || isShadow(ban, at);

/** Few bans are held of all that there are. */
function* entriesOf(held: Iterable<Ban>): Iterable<Entry> {
  for (const ban of held) yield { key: banKey(ban.jail, ban.address), ban };
}

/** A page of the record; of the bans in force, where a list began without PostgreSQL. */
async function recorded(context: ListContext, query: Query) {
  const { history, now } = context;
  const { limit, after } = query;
  const isOfRecord = after !== null && /^\d+$/.test(after);
  if (after !== null && !isOfRecord) {
    return { ...(await inForce(context, query)), stale: "PostgreSQL could not be asked before" };
  }
  const { value, stale } = await fromHistory(
    async () =>
      pageOf(await history.bans({ ...query, now: now(), limit: limit + 1 }), banSchema, limit),
    undefined,
  );
  if (value) {
    return { ...value, total: value.rows.length, stale: stale ?? staleRecord(context) };
  }
  if (isOfRecord) throw new ApiError(503, stale ?? "PostgreSQL cannot be asked");
  return { ...(await inForce(context, query)), stale };
}
