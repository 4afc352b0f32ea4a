/**
 * Options of jails that operators have set in place of what coordinator.yaml says. The settings
 * bucket holds an entry for each, so every coordinator applies them to the file of its own machine.
 * The coordinator that decides takes an entry away when its time is over.
 */
import type { JailSetting, Setting } from "../../wire/settings.ts";
import { jailSettingKey } from "../../wire/subjects.ts";
import type { Settings } from "./settings-store.ts";

export interface JailSettings {
  /** The settings bucket has this under the key now; undefined: nothing. true: that is news. */
  noteSetting(key: string, setting: Setting | undefined): boolean;
  /** The oldest first. */
  list(): JailSetting[];
  /** Takes away those whose time is over; only the coordinator that decides does this. */
  endOld(settings: Pick<Settings, "eraseBy">, now: number): Promise<void>;
}

export function createJailSettings(): JailSettings {
  const settings = new Map<string, JailSetting>();
  return {
    noteSetting(key, setting) {
      if (setting?.type !== "jail-setting") return settings.delete(key);
      settings.set(key, setting.setting);
      return true;
    },
    list: () => [...settings.values()].sort((a, b) => a.at - b.at),
    async endOld(bucket, now) {
      for (const [key, { until = Infinity }] of settings) {
        if (until <= now) await bucket.eraseBy(key, "decider");
      }
    },
  };
}

export const keyOf = ({ jail, option }: JailSetting): string => jailSettingKey(jail, option);
