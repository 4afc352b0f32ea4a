/** `fleetban jail list|show|reload`: the policy that this coordinator has in use. */
import { jailRow } from "../../wire/api.ts";
import { awaitsRelease, isInForce } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import { inSlices } from "../../process/slices.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { jailRowOf } from "./jail-rows.ts";
import { behind, pageOf } from "./page.ts";

type JailEndpoints = Pick<Endpoints, "jail.list" | "jail.show" | "jail.reload">;

export function jailEndpoints(context: ApiContext): JailEndpoints {
  const { bans, now, id: coordinator } = context;
  return {
    "jail.list"({ limit = MAX_ROWS, after = null }) {
      const marked = context
        .jails()
        .map((jail) => ({ row: jailRowOf(context, jail), mark: jail.name }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const { rows, next } = pageOf(behind(marked, after), jailRow, limit);
      const policyVersion = context.policyVersion();
      const { dbpurgeage } = context.reload.config();
      return { jails: rows, total: marked.length, next, coordinator, policyVersion, dbpurgeage };
    },

    async "jail.show"({ jail: name }) {
      const jail = jailNamed(context, name);
      const counts = { inForce: 0, held: 0 };
      await inSlices(bans.entries(), ({ ban }) => {
        if (ban.jail !== name) return;
        if (isInForce(ban, now())) counts.inForce += 1;
        if (awaitsRelease(ban, now())) counts.held += 1;
      });
      const policyVersion = context.policyVersion();
      return { ...jailRowOf(context, jail), bans: counts, coordinator, policyVersion };
    },

    async "jail.reload"(_request, by) {
      const reloaded = await context.reload.reload(by, "every");
      const { faults, changes, needRestart, isInUse, policyVersion } = reloaded;
      return {
        ...{ coordinator, decider: context.lease.holder(), isInUse },
        ...{ faults: faults.slice(0, FIRST).map(shorten), faultCount: faults.length },
        ...{ changes: changes.slice(0, FIRST), changeCount: changes.length },
        needRestart: [...needRestart],
        policyVersion,
      };
    },
  };
}

/** A fault may quote what somebody has written. */
const shorten = (fault: string) => fault.slice(0, 1_000);
