/** `fleetban ban show`. */
import { overlaps, type Address } from "../../wire/address.ts";
import { failureRow } from "../../wire/api.ts";
import { ban as banSchema } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { allowed as allowedSchema, type Allowed } from "../../wire/settings.ts";
import { fromHistory, staleRecord } from "../history/stale-answers.ts";
import { nameBan, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { firstAfter, firstRows, ROWS_BYTES } from "./page.ts";
import { tracesOf } from "./traces.ts";
import { findSilentHosts, whereInForce } from "./where-in-force.ts";

/** At most this many changes and failures of an address are shown. */
const CHANGES_SHOWN = 100;
const FAILURES_SHOWN = 20;

/** The bans of an address: in one jail, or in all. */
interface Asked {
  address: Address;
  jail: string | undefined;
}

export function banShowEndpoint(context: ApiContext): Pick<Endpoints, "ban.show"> {
  return {
    async "ban.show"({ jail, address, trace = false }) {
      const asked = { jail, address };
      const { entries, total } = await presentBans(context, asked);
      const { changes, failures, stale } = await recorded(context, asked);
      const { allowed, allowedInJails } = allowlisted(context, asked);
      const machine = context.machines.find(address) ?? null;
      const logins = context.knownGood.loginsOf(address).slice(0, FIRST);
      const known = total + changes.length + failures.length + logins.length;
      const isListed = allowed !== null || allowedInJails.length > 0;
      if (known === 0 && !isListed && machine === null) {
        throw new ApiError(404, `${nameBan(address, jail)}: there is no ban and no failure of it`);
      }
      const bans = entries.map(({ ban }) => ban);
      const third = { bytes: ROWS_BYTES / 3 };
      const silent = await findSilentHosts(context);
      const traces = trace && (await tracesOf(context, entries));
      // Nothing is waited for between the traces and this, so that their numbers fit each other.
      const places = whereInForce(context, { address, entries, silent });
      return {
        bans: firstRows(bans, banSchema, third),
        total,
        ...places,
        changes: firstRows(changes.toReversed(), banSchema, third).reverse(),
        failures: firstRows(failures, failureRow, third),
        allowed,
        allowedInJails: firstRows(allowedInJails, allowedSchema, { bytes: 20_000 }),
        machine,
        ...(traces && { traces }),
        logins,
        stale,
      };
    },
  };
}

/** The first bans as they stand that have an address in common with this one. */
async function presentBans({ bans }: Pick<ApiContext, "bans">, { address, jail }: Asked) {
  const { first, total } = await firstAfter(bans.entriesAt({ address, jail }), {
    isWanted: ({ ban }) =>
      overlaps(ban.address, address) && (jail === undefined || ban.jail === jail),
    nameOf: ({ key }) => key,
    after: null,
    count: CHANGES_SHOWN,
  });
  return { entries: first.map(({ row }) => row), total };
}

async function recorded({ history }: Pick<ApiContext, "history">, { address, jail }: Asked) {
  const { value, stale } = await fromHistory(
    async () => ({
      changes: await history.changes({ jail, address, limit: CHANGES_SHOWN }),
      failures: await history.failures({ jail, address, limit: FAILURES_SHOWN, after: null }),
    }),
    { changes: [], failures: [] },
  );
  return {
    changes: value.changes,
    failures: value.failures.map(({ row }) => row),
    stale: stale ?? staleRecord({ history }),
  };
}

/** The entries of the allowlist that cover the address: the one for every jail, and those for one. */
function allowlisted({ settings }: Pick<ApiContext, "settings">, { address, jail }: Asked) {
  const entries = settings.allowlist.findAll(address);
  const isWanted = (entry: Allowed) => jail === undefined || entry.jail === jail;
  return {
    allowed: entries.find((entry) => entry.jail === undefined) ?? null,
    allowedInJails: entries.filter((entry) => entry.jail !== undefined && isWanted(entry)),
  };
}
