/** What happens in the fleet, as the stores report it. The coordinator's parts subscribe to it. */
import { createListeners } from "../../process/listeners.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Setting } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";

export type FleetEvents = ReturnType<typeof createFleetEvents>;

export function createFleetEvents() {
  return {
    /** A ban was read, or has changed. */
    ban: createListeners<[ban: Ban, previous: Ban | undefined]>(),
    /** A ban has changed after all of them were read once. */
    banChanged: createListeners<[ban: Ban, previous: Ban | undefined]>(),
    /** An entry of the settings bucket was read, or has changed; undefined: it is gone. */
    setting: createListeners<[key: string, setting: Setting | undefined]>(),
    /** Operators have set other options of jails, or have taken some back. */
    jailSettings: createListeners<[]>(),
    /** A host has reported its status. */
    status: createListeners<[status: HostStatus, seenAt: number]>(),
    /** A host was put into quarantine. */
    quarantined: createListeners<[host: string]>(),
    /** This coordinator has the lease, and decides from now on. */
    leaseTaken: createListeners<[]>(),
  };
}
