/** `fleetban ban list|show|add|remove`. */
import { overlaps, type Address } from "../../wire/address.ts";
import { awaitsRelease, ban as banSchema, isInForce, isShadow, type Ban } from "../../wire/ban.ts";
import { scopeOf } from "../../wire/ban-scope.ts";
import { failureRow, type Request } from "../../wire/api.ts";
import { FIRST } from "../../wire/reach.ts";
import { allowed as allowedSchema, type Allowed } from "../../wire/settings.ts";
import { banByOperator, liftBan } from "../../policy/ban-lifecycle.ts";
import type { Written } from "../buckets/ban-store.ts";
import { passesFilter } from "./ban-filter.ts";
import { bansAround } from "./bans-around.ts";
import { checkBannable, describeMissing } from "./ban-refusals.ts";
import { fromHistory, staleRecord } from "../history/stale-answers.ts";
import { jailNamed, nameBan, type ApiContext } from "./api-context.ts";
import { firstAfter, firstRows, pageOf, ROWS_BYTES, type Page } from "./page.ts";
import { createReaches } from "./reach.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { tracesOf } from "./traces.ts";

type BanEndpoints = Pick<Endpoints, "ban.list" | "ban.show" | "ban.add" | "ban.remove">;

/** As many changes and failures of an address are shown at most. */
const CHANGES_SHOWN = 100;
const FAILURES_SHOWN = 20;

export function banEndpoints(context: ApiContext): BanEndpoints {
  const { bans, settings, machines, history, now, newId } = context;
  const reaches = createReaches(context);
  const jailOf = (name: string) => context.jails().find((jail) => jail.name === name);

  /** A page of the bans in force. */
  async function current(query: Request<"ban.list">): Promise<Page<Ban> & { total: number }> {
    const { jail, address, held = false, limit, after } = query;
    const isShown = (ban: Ban, at: number) => isInForce(ban, at) || isShadow(ban, at);
    const isWantedState = held ? awaitsRelease : isShown;
    const { first, total } = await firstAfter(bans.entries(), {
      isWanted: ({ ban }) =>
        isWantedState(ban, now()) &&
        passesFilter(ban, query, now()) &&
        (jail === undefined || ban.jail === jail) &&
        (address === undefined || overlaps(ban.address, address)),
      nameOf,
      after,
      count: limit + 1,
    });
    const found = first.map(({ row, mark }) => ({ row: row.ban, mark }));
    return { ...pageOf(found, banSchema, limit), total };
  }

  /** What of the allowlist covers the address: in every jail, and in some; `jail`: only in this. */
  function entriesFor(address: Address, jail: string | undefined) {
    const entries = settings.allowlist.findAll(address);
    const isWanted = (entry: Allowed) => jail === undefined || entry.jail === jail;
    return {
      allowed: entries.find((entry) => entry.jail === undefined) ?? null,
      allowedInJails: entries.filter((entry) => entry.jail !== undefined && isWanted(entry)),
    };
  }

  /** A page of the record; of the bans in force, where a list began without PostgreSQL. */
  async function recorded(query: Request<"ban.list">) {
    const { limit, after } = query;
    const isOfRecord = after !== null && /^\d+$/.test(after);
    if (after !== null && !isOfRecord) {
      return { ...(await current(query)), stale: "PostgreSQL could not be asked before" };
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
    return { ...(await current(query)), stale };
  }

  return {
    async "ban.list"(query) {
      if (query.jail !== undefined) jailNamed(context, query.jail);
      const { rows, total, next, stale } = query.all
        ? await recorded(query)
        : { ...(await current(query)), stale: null };
      return { bans: rows, total, next, stale };
    },

    async "ban.show"({ jail, address, trace = false }) {
      const { first, total } = await firstAfter(bans.entries(), {
        isWanted: ({ ban }) =>
          overlaps(ban.address, address) && (jail === undefined || ban.jail === jail),
        nameOf,
        after: null,
        count: CHANGES_SHOWN,
      });
      const entries = first.map(({ row }) => row);
      const present = entries.map(({ ban }) => ban);
      const { value, stale } = await fromHistory(
        async () => ({
          changes: await history.changes({ jail, address, limit: CHANGES_SHOWN }),
          failures: await history.failures({ jail, address, limit: FAILURES_SHOWN, after: null }),
        }),
        { changes: [], failures: [] },
      );
      const { allowed, allowedInJails } = entriesFor(address, jail);
      const machine = machines.find(address) ?? null;
      const logins = context.knownGood.loginsOf(address).slice(0, FIRST);
      const known = total + value.changes.length + value.failures.length + logins.length;
      const isListed = allowed !== null || allowedInJails.length > 0;
      if (known === 0 && !isListed && machine === null) {
        throw new ApiError(404, `${nameBan(address, jail)}: there is no ban and no failure of it`);
      }
      const third = { bytes: ROWS_BYTES / 3 };
      const newestFirst = value.changes.toReversed();
      return {
        bans: firstRows(present, banSchema, third),
        total,
        standing: present.some((ban) => isInForce(ban, now())) ? reaches.standing(address) : null,
        local: present.flatMap((ban) => {
          const isFor = scopeOf(ban, jailOf(ban.jail));
          if (!isFor || !isInForce(ban, now())) return [];
          const standing = reaches.standing(address, isFor);
          return [{ jail: ban.jail, address: ban.address, standing }];
        }),
        changes: firstRows(newestFirst, banSchema, third).reverse(),
        failures: firstRows(
          value.failures.map(({ row }) => row),
          failureRow,
          third,
        ),
        allowed,
        allowedInJails: firstRows(allowedInJails, allowedSchema, { bytes: 20_000 }),
        machine,
        ...(trace && { traces: await tracesOf(context, entries) }),
        logins,
        stale: stale ?? staleRecord(context),
      };
    },

    async "ban.add"({ address, jail: jailName, seconds, reason, replace, wait }, by) {
      const jail = jailNamed(context, jailName);
      checkBannable(context, address, jail.name);
      const since = performance.now();
      const order = { jail, address, seconds, reason, by, replace };
      const written = await bans.change(jail.name, address, (present) =>
        banByOperator(present, order, context.newChange(jail, address)),
      );
      const ban = written?.ban ?? bans.get(jail.name, address);
      if (!ban) {
        throw new ApiError(503, `${address}: the ban was lifted by somebody else meanwhile`);
      }
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
      if (written.length === 0)
        throw new ApiError(404, await describeMissing(context, address, jail));
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

const nameOf = ({ key }: { key: string }): string => key;
