/**
 * Jails that operators have paused: nobody new is banned in them, and bans in force stay.
 *
 * Failures of that time never count. A coordinator that starts later and reads them again must
 * decide as the others did, so an entry keeps its pauses for as long as that may happen. The end of
 * a pause is in the entry from its beginning: it ends by itself, on every host, whoever is away.
 */
import { MAX_PAUSES, type Jail, type JailPause, type Setting } from "../wire/settings.ts";
import { jailOfPauseKey } from "../wire/subjects.ts";

type Period = JailPause["periods"][number];

export interface JailPauses {
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  /** Is the jail paused at `at`? Then a failure of that moment counts for nothing. */
  isPausedAt(jail: string, at: number): boolean;
  of(jail: string): JailPause | undefined;
  /** Grows with every change. */
  readonly changes: number;
  list(): [jail: string, pause: JailPause][];
}

export function createJailPauses(): JailPauses {
  const pauses = new Map<string, JailPause>();
  let changes = 0;
  return {
    noteSetting(key, setting) {
      const jail = jailOfPauseKey(key);
      if (jail === undefined) return;
      changes += 1;
      if (setting?.type === "jail-pause") pauses.set(jail, setting.pause);
      else pauses.delete(jail);
    },
    get changes() {
      return changes;
    },
    isPausedAt(jail, at) {
      const pause = pauses.get(jail);
      return pause !== undefined && periodAt(pause, at) !== undefined;
    },
    of: (jail) => pauses.get(jail),
    list: () => [...pauses],
  };
}

/** undefined: the jail is not paused then. */
export const periodAt = ({ periods }: Pick<JailPause, "periods">, at: number): Period | undefined =>
  periods.find(({ from, until }) => from <= at && at < (until ?? Infinity));

/** The same of a jail as agents have it. */
export const isPausedAt = ({ pauses = [] }: Pick<Jail, "pauses">, at: number): boolean =>
  periodAt({ periods: pauses }, at) !== undefined;

/** The jail as agents get it. */
export function withPauses(jail: Jail, pause: JailPause | undefined): Jail {
  return pause ? { ...jail, pauses: pause.periods } : jail;
}

/** When the last pause is over; null: not by itself. */
export const endOfPause = ({ periods }: JailPause): number | null => periods.at(-1)?.until ?? null;

export interface PauseOrder {
  by: string;
  reason: string;
  now: number;
  /** null: until the jail is resumed. */
  until: number | null;
}

/** A jail that is paused gets the end, the name and the reason of this order. */
export function pauseJail(
  present: JailPause | undefined,
  { by, reason, now, until }: PauseOrder,
): JailPause {
  const underWay = present && periodAt(present, now);
  const before = (present?.periods ?? []).filter((period) => period !== underWay);
  const periods = [...before, { from: underWay?.from ?? now, until }].slice(-MAX_PAUSES);
  return { v: 1, by, reason, at: now, periods };
}

/** undefined: the jail is not paused. */
export function resumeJail(
  present: JailPause | undefined,
  { by, now }: Pick<PauseOrder, "by" | "now">,
): JailPause | undefined {
  const underWay = present && periodAt(present, now);
  if (!underWay) return undefined;
  const periods = present.periods.map((period) =>
    period === underWay ? { ...period, until: now } : period,
  );
  return { ...present, by, at: now, periods };
}

/** Was the entry written by who resumed the jail? */
export const isResumed = (pause: JailPause): boolean => endOfPause(pause) === pause.at;
