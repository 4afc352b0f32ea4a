/** `fleetban account show`. */
import { FIRST } from "../../wire/reach.ts";
import { staleRecord } from "../history/stale-answers.ts";
import { aboutAddress } from "./about-endpoint.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { bansAround } from "./bans-around.ts";
import { fromRecord } from "./from-record.ts";

export function accountEndpoint(context: ApiContext): Pick<Endpoints, "account.show"> {
  const { history, knownGood, now } = context;
  return {
    async "account.show"({ user, since, until = now() }) {
      const found = await fromRecord(() => history.account({ user, since, until, limit: FIRST }));
      return {
        ...found,
        user,
        addresses: found.addresses.map((row) => ({
          ...row,
          about: aboutAddress(context, row.address),
          isBanned: bansAround(context, row.address).length > 0,
          lastLoginAt: knownGood.loginsOf(row.address)[0]?.at ?? null,
        })),
        hosts: found.hosts.map((host) => ({ ...host, about: null })),
        knowsLogins: knownGood.isFollowing(),
        stale: staleRecord(context),
      };
    },
  };
}
