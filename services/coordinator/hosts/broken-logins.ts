/**
 * Hosts whose logins fail for a reason of their own: what they report says nothing of those who are
 * refused there, so no ban that such a host causes is to be in force.
 *
 * The settings bucket keeps what each of them has said. So a coordinator knows it before it decides
 * for the first time, whether or not the host is heard again, and whether or not PostgreSQL is up.
 *
 * An entry concerns the bans of its own host alone, so a host in quarantine has one like any other.
 */
import { LOGINS_WATCHED_MS, type HostStatus } from "../../wire/status.ts";
import { encodeBrokenLogins, type BrokenLogins, type Setting } from "../../wire/settings.ts";
import { brokenLoginsKey, hostOfBrokenLoginsKey } from "../../wire/subjects.ts";
import type { WarningCode } from "../../wire/warnings.ts";
import type { Settings } from "../buckets/settings-store.ts";

export interface BrokenHosts {
  /** Why no ban that the host causes is to be in force now, as a clause; undefined: it may be. */
  whyDistrusted(host: string): string | undefined;
  noteStatus(status: HostStatus): void;
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  /** Writes down what hosts say, and erases what is over: for the coordinator that decides. */
  publish(settings: Pick<Settings, "write" | "erase">): Promise<void>;
  /** The host is no more. */
  forgetHost(settings: Pick<Settings, "erase">, host: string): Promise<void>;
}

export interface BrokenHostsOptions {
  /** Milliseconds for which failures are read again. */
  horizon: () => number;
  now: () => number;
}

/** What the last status of a host says of its logins. */
interface Heard {
  instance: string;
  isBroken: boolean;
  /** The agent has been at work long enough to know whether logins are broken. */
  isCertain: boolean;
}

const BROKEN: WarningCode = "logins-broken";
/** An entry is written again after this time, so that it shows when the host has said so last. */
const WRITE_AGAIN_AFTER_MS = 60_000;
const LONGEST_REASON = 256;

export function createBrokenHosts({ horizon, now }: BrokenHostsOptions): BrokenHosts {
  /** The newest word of each host that its logins are broken, heard or read. */
  const entries = new Map<string, BrokenLogins>();
  const heard = new Map<string, Heard>();

  /**
   * The host has said that it is over. An agent that has just started has not seen yet what fails
   * there, so for some minutes only its word that logins are broken counts.
   */
  function hasRecovered(host: string, { instance }: BrokenLogins): boolean {
    const last = heard.get(host);
    if (!last || last.isBroken) return false;
    return last.isCertain || last.instance === instance;
  }

  /** A host that is gone for good reports nothing more, and nobody reads its last failures again. */
  const isStale = ({ at }: BrokenLogins) => at + horizon() < now();

  const isOver = (host: string, entry: BrokenLogins) => isStale(entry) || hasRecovered(host, entry);

  return {
    whyDistrusted(host) {
      const entry = entries.get(host);
      return entry && !isOver(host, entry) ? `on host ${host} ${entry.reason}` : undefined;
    },

    noteStatus(status) {
      const { host, instance, startedAt, sentAt } = status;
      const reason = reasonOf(status);
      const isCertain = sentAt - startedAt >= LOGINS_WATCHED_MS;
      heard.set(host, { instance, isBroken: reason !== undefined, isCertain });
      if (reason !== undefined) entries.set(host, { v: 1, reason, at: now(), instance });
    },

    noteSetting(key, setting) {
      const host = hostOfBrokenLoginsKey(key);
      if (host === undefined) return;
      if (setting?.type === "broken-logins") entries.set(host, setting.broken);
      else entries.delete(host);
    },

    async publish(settings) {
      for (const [host, entry] of entries) {
        const key = brokenLoginsKey(host);
        if (isOver(host, entry)) await settings.erase(key);
        else if (heard.get(host)?.isBroken) {
          await settings.write(key, encodeBrokenLogins(entry), (present) =>
            isFresh(present, entry),
          );
        }
      }
    },

    async forgetHost(settings, host) {
      heard.delete(host);
      if (entries.has(host)) await settings.erase(brokenLoginsKey(host));
    },
  };
}

/** The counts in the reason change with every refused login; a minute's delay does no harm there. */
const isFresh = (present: Setting, { at, instance }: BrokenLogins): boolean =>
  present.type === "broken-logins" &&
  present.broken.instance === instance &&
  at - present.broken.at < WRITE_AGAIN_AFTER_MS;

/** The warning's clause without what it says of bans. */
function reasonOf({ warnings }: HostStatus): string | undefined {
  const text = warnings.find(({ code }) => code === BROKEN)?.text;
  return text?.split("; automatic bans")[0]?.slice(0, LONGEST_REASON);
}
