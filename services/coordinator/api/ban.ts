/** `fleetban ban list|show|add|remove`. */
import { familyOf, overlaps, parseNetwork, prefixOf, type Address } from "../../wire/address.ts";
import { WIDEST_BAN } from "../../wire/api.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { banKey } from "../../wire/subjects.ts";
import type { Written } from "../ban-store.ts";
import { banByOperator, liftBan } from "../../counting/policy.ts";
import { fromHistory, jailNamed, nameBan, pageOf, type ApiContext } from "./context.ts";
import { ApiError, type Endpoints } from "./server.ts";

type BanEndpoints = Pick<Endpoints, "ban.list" | "ban.show" | "ban.add" | "ban.remove">;

const LOOPBACK: readonly Address[] = ["127.0.0.0/8", "::1"].flatMap(
  (text) => parseNetwork(text) ?? [],
);

export function banEndpoints(context: ApiContext): BanEndpoints {
  const { bans, settings, hosts, history, now, newId } = context;

  const entriesOn = (address: Address, jail?: string): Ban[] =>
    [...bans.entries()]
      .map(({ ban }) => ban)
      .filter((ban) => overlaps(ban.address, address) && (jail === undefined || ban.jail === jail));

  /** Refuses what must never be banned, with the reason. */
  function checkBannable(address: Address): void {
    const widest = WIDEST_BAN[familyOf(address)];
    if (prefixOf(address) < widest) {
      throw new ApiError(400, `${address}: too wide, expected a network of /${widest} or narrower`);
    }
    if (LOOPBACK.some((loopback) => overlaps(loopback, address))) {
      throw new ApiError(409, `${address}: is loopback, which is never banned`);
    }
    for (const { status } of hosts.list()) {
      const own = status.addresses.find((candidate) => overlaps(candidate, address));
      if (own !== undefined) {
        throw new ApiError(409, `${address}: holds ${own}, an address of host ${status.host}`);
      }
    }
    const allowed = settings.allowlist.find(address);
    if (allowed) {
      const entry = `${allowed.address} is on the allowlist (${allowed.comment})`;
      const remedy = `fleetban allow remove ${allowed.address}`;
      throw new ApiError(409, `${address}: ${entry}; to ban it, first: ${remedy}`);
    }
  }

  const reachOf = async (written: readonly Written[], since: number, wait: number | null) => {
    if (wait === null) return null;
    const revision = Math.max(...written.map((each) => each.revision), 0);
    const target = { created: bans.created(), revision: revision || bans.revision() };
    return hosts.untilApplied(target, since, wait);
  };

  return {
    async "ban.list"({ jail, address, all, limit, after }) {
      if (jail !== undefined) jailNamed(context, jail);
      const current = [...bans.entries()]
        .map(({ ban }) => ban)
        .filter((ban) => isInForce(ban, now()))
        .filter((ban) => jail === undefined || ban.jail === jail)
        .filter((ban) => address === undefined || overlaps(ban.address, address));
      if (!all) {
        const { rows, next } = pageOf(current, nameOf, { limit, after });
        return { bans: rows, total: current.length, next, stale: null };
      }
      const { value, stale } = await fromHistory(
        () => history.bans({ jail, address, limit, after }),
        pageOf(current, nameOf, { limit, after }),
      );
      return { bans: value.rows, total: value.rows.length, next: value.next, stale };
    },

    async "ban.show"({ jail, address }) {
      const present = entriesOn(address, jail);
      const { value, stale } = await fromHistory(
        async () => ({
          changes: await history.changes({ jail, address, limit: 100 }),
          failures: await history.failures({ jail, address, limit: 20, after: null }),
        }),
        { changes: [], failures: { rows: [], next: null } },
      );
      const allowed = settings.allowlist.find(address) ?? null;
      const isUnknown = present.length + value.changes.length + value.failures.rows.length === 0;
      if (isUnknown && allowed === null) {
        throw new ApiError(404, `${nameBan(address, jail)}: there is no ban and no failure of it`);
      }
      const { changes, failures } = value;
      return { bans: present, changes, failures: failures.rows, allowed, stale };
    },

    async "ban.add"({ address, jail: jailName, seconds, reason, replace, wait }, by) {
      const jail = jailNamed(context, jailName);
      checkBannable(address);
      const since = performance.now();
      const written = await bans.change(jail.name, address, (present) =>
        banByOperator(
          present,
          { jail, address, seconds, reason, by, replace },
          { now: now(), id: newId() },
        ),
      );
      const ban = written?.ban ?? bans.get(jail.name, address);
      if (!ban)
        throw new ApiError(503, `${address}: the ban was lifted by somebody else meanwhile`);
      const reach = await reachOf(written ? [written] : [], since, wait);
      return { ban, changed: written !== undefined, reach };
    },

    async "ban.remove"({ address, jail, reason, immunity, wait }, by) {
      if (jail !== undefined) jailNamed(context, jail);
      const since = performance.now();
      const written: Written[] = [];
      for (const candidate of context.jails) {
        if (jail !== undefined && candidate.name !== jail) continue;
        const change = await bans.change(candidate.name, address, (present) =>
          present && isInForce(present, now())
            ? liftBan(
                present,
                { by, reason, immunity: immunity ?? candidate.findtime },
                { now: now(), id: newId() },
              )
            : undefined,
        );
        if (change) written.push(change);
      }
      if (written.length === 0) throw new ApiError(404, describeMissing(address, jail));
      const reach = await reachOf(written, since, wait);
      return { bans: written.map(({ ban }) => ban), reach };
    },
  };

  function describeMissing(address: Address, jail: string | undefined): string {
    const missing = `${nameBan(address, jail)}: is not banned`;
    const around = entriesOn(address, jail).filter((ban) => isInForce(ban, now()));
    const [first] = around;
    if (!first) return missing;
    return `${missing} as such, but ${first.address} is: fleetban ban remove ${first.address}`;
  }
}

const nameOf = (ban: Ban): string => banKey(ban.jail, ban.address);
