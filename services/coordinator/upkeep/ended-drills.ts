/**
 * Ends drills: lifts what they have banned, and takes their entries out of the settings bucket. The
 * coordinator that was asked for a drill does so at its end. If it could not, because it was ended
 * before, the one that decides does so when the drill's time is over.
 */
import { DRILL_WITHIN_MS, type Drill } from "../../wire/drill.ts";
import type { Jail, Setting } from "../../wire/settings.ts";
import { drillKey, hostOfDrillKey } from "../../wire/subjects.ts";
import { liftBan } from "../../policy/ban-lifecycle.ts";
import { countedAs } from "../../policy/counted-network.ts";
import { isDue } from "../../wire/ban.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Settings } from "../buckets/settings-store.ts";

export interface EndedDrillsOptions {
  bans: Pick<BanStore, "change">;
  settings: Pick<Settings, "eraseBy">;
  jails: () => readonly Jail[];
  now: () => number;
  newId: () => string;
}

export interface EndedDrills {
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  /** Ends those whose time is over: for the coordinator that decides. */
  endOld(options: EndedDrillsOptions): Promise<void>;
}

export function createEndedDrills(): EndedDrills {
  const drills = new Map<string, Drill>();
  return {
    noteSetting(key, setting) {
      const host = hostOfDrillKey(key);
      if (host === undefined) return;
      if (setting?.type === "drill") drills.set(host, setting.drill);
      else drills.delete(host);
    },
    async endOld(options) {
      for (const [host, drill] of drills) {
        if (drill.at + DRILL_WITHIN_MS < options.now()) await endDrill(options, { host, drill });
      }
    },
  };
}

export async function endDrill(
  { bans, settings, jails, now, newId }: EndedDrillsOptions,
  { host, drill }: { host: string; drill: Drill },
): Promise<void> {
  const jail = jails().find(({ name }) => name === drill.jail);
  const banned = jail ? countedAs(drill.address, jail) : drill.address;
  await bans.change(drill.jail, banned, (present) => {
    if (!present || !isDue(present, now())) return undefined;
    const order = { by: drill.by, reason: `the drill of ${host} is over`, immunity: 0 };
    return liftBan(present, order, { now: now(), id: newId() });
  });
  await settings.eraseBy(drillKey(host), drill.by);
}
