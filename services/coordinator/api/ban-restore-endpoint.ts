/** `fleetban restore`: puts bans of a backup back as they were, but who restores them answers for them. */
import { isDue, isLonger, type Ban } from "../../wire/ban.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { whyNotBannable } from "./ban-refusals.ts";
import { newOutcome, refuse } from "./import-outcome.ts";

/** Writes that run at a time. */
const AT_ONCE = 256;

export function banRestoreEndpoint(context: ApiContext): Pick<Endpoints, "ban.restore"> {
  const { bans, now, newId } = context;

  return {
    async "ban.restore"({ bans: wanted, dryRun }, by) {
      const outcome = newOutcome();
      await sideBySide(wanted, AT_ONCE, async (ban) => {
        const why = whyLeftOut(context, ban);
        if (why !== undefined) {
          refuse(outcome, ban.address, why);
          return;
        }
        const step = (present: Ban | undefined) =>
          restored(present, ban, { now: now(), id: newId(), by });
        const isNew = dryRun
          ? step(bans.get(ban.jail, ban.address)) !== undefined
          : (await bans.change(ban.jail, ban.address, step)) !== undefined;
        if (isNew) outcome.added += 1;
        else outcome.kept += 1;
      });
      return outcome;
    },
  };
}

function whyLeftOut(context: ApiContext, ban: Ban): string | undefined {
  const { jail, address } = ban;
  if (!context.jails().some(({ name }) => name === jail)) return `there is no jail ${jail}`;
  if (!isDue(ban, context.now())) return "its end is over";
  return whyNotBannable(context, address, jail);
}

/** undefined: the present ban lasts as long. `countedUntil` never becomes earlier. */
function restored(
  present: Ban | undefined,
  ban: Ban,
  { now, id, by }: { now: number; id: string; by: string },
): Ban | undefined {
  const isThere = present !== undefined && isDue(present, now);
  const isStronger = ban.state === "active" && present?.state !== "active";
  if (isThere && !isStronger && !isLonger(ban.until, present.until)) return undefined;
  const rest = { ...ban };
  delete rest.spared;
  const countedUntil = Math.max(present?.countedUntil ?? 0, ban.countedUntil ?? 0) || null;
  return { ...rest, change: id, changedAt: now, by, immuneUntil: null, countedUntil };
}
