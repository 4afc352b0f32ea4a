/** `fleetban host quarantine HOST [--undo]`: what the host reports no longer counts. */
import { isHeld, isInForce } from "../../wire/ban.ts";
import type { Quarantine } from "../../wire/settings.ts";
import { isCausedAloneBy } from "../../policy/ban-cause.ts";
import { inSlices } from "../../process/slices.ts";
import { writeQuarantine } from "../buckets/quarantines.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import type { ApiContext } from "./api-context.ts";

type QuarantineEndpoint = Pick<Endpoints, "host.quarantine">;

export function quarantineEndpoint(context: ApiContext): QuarantineEndpoint {
  const { bans, settings, quarantines, fleet, now } = context;

  async function isKnown(host: string): Promise<boolean> {
    return (await fleet.listHosts()).rows.has(host);
  }

  return {
    async "host.quarantine"({ host, undo, reason }, by) {
      const present = quarantines.of(host);
      if (undo && !present) throw new ApiError(404, `${host}: is not in quarantine`);
      if (!undo && !present && !(await isKnown(host))) {
        throw new ApiError(404, `${host}: is no host that is listed; see fleetban host list`);
      }
      const begun: Quarantine = present ?? { v: 1, since: now(), until: null, by, reason };
      const quarantine = undo ? { ...begun, until: now(), by } : begun;
      if (quarantine !== present) await writeQuarantine(settings, host, quarantine);
      const alone = { inForce: 0, held: 0 };
      await inSlices(bans.entries(), ({ ban }) => {
        if (!isCausedAloneBy(ban, host)) return;
        if (isInForce(ban, now())) alone.inForce += 1;
        if (isHeld(ban, now())) alone.held += 1;
      });
      return { host, quarantine, changed: quarantine !== present, alone };
    },
  };
}
