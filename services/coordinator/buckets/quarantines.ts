/**
 * Hosts in quarantine: what they report does not count, and what they have caused alone can be
 * lifted with one command. The settings bucket holds an entry for each.
 *
 * An entry stays for a while after the quarantine is over. Failures that NATS stored before its end
 * never count: a coordinator that starts later and reads them again must decide as the others did.
 */
import { encodeQuarantine, type Quarantine, type Setting } from "../../wire/settings.ts";
import { hostOfQuarantineKey, quarantineKey } from "../../wire/subjects.ts";
import type { Settings } from "./settings-store.ts";

export interface Quarantines {
  /** The quarantine that the host is in now. */
  of(host: string): Quarantine | undefined;
  /** Does a failure not count that the host has reported, and that NATS stored at `storedAt`? */
  ignores(host: string, storedAt: number): boolean;
  list(): [host: string, quarantine: Quarantine][];
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  /** Forgets quarantines that ended long enough ago; only the coordinator that decides does this. */
  forgetOld(settings: Pick<Settings, "erase">, now: number): Promise<void>;
}

export interface QuarantinesOptions {
  /** Milliseconds for which failures are read again. */
  horizon: () => number;
  /** A host has come into quarantine. */
  onBegin: (host: string) => void;
}

export function createQuarantines({ horizon, onBegin }: QuarantinesOptions): Quarantines {
  const entries = new Map<string, Quarantine>();
  return {
    of(host) {
      const known = entries.get(host);
      return known?.until === null ? known : undefined;
    },
    ignores(host, storedAt) {
      const known = entries.get(host);
      return known !== undefined && (known.until === null || storedAt <= known.until);
    },
    list: () => [...entries].filter(([, { until }]) => until === null),
    noteSetting(key, setting) {
      const host = hostOfQuarantineKey(key);
      if (host === undefined) return;
      if (setting?.type !== "quarantine") {
        entries.delete(host);
        return;
      }
      const wasIn = entries.get(host)?.until === null;
      entries.set(host, setting.quarantine);
      if (!wasIn && setting.quarantine.until === null) onBegin(host);
    },
    async forgetOld(settings, now) {
      for (const [host, { until }] of entries) {
        if (until !== null && until + horizon() < now) await settings.erase(quarantineKey(host));
      }
    },
  };
}

export const writeQuarantine = (
  settings: Pick<Settings, "write">,
  host: string,
  quarantine: Quarantine,
): Promise<void> => settings.write(quarantineKey(host), encodeQuarantine(quarantine), () => false);
