/**
 * Time zones of logs. Most logging systems write the time of day of their machine and not its
 * zone, which need not be the zone of the machine that reads the log.
 */

/** How the date and the time that a clock on the wall shows become an instant. */
export interface Zone {
  /**
   * Epoch milliseconds. Of an hour that comes twice, because summer time ends, it is the first.
   * Months count from 0, as Date has them, and what is too much is carried over.
   */
  instantOf(
    year: number,
    month: number,
    day: number,
    hours: number,
    minutes: number,
    seconds: number,
  ): number;
  /** Does the clock show the same time an hour later again, because summer time ends? */
  isRepeated(at: number): boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** All zones change their offset at a whole quarter of an hour. */
const QUARTER_MS = 900_000;

/** The zone of this machine. */
export const LOCAL_ZONE: Zone = {
  instantOf: (year, month, day, hours, minutes, seconds) =>
    new Date(year, month, day, hours, minutes, seconds).getTime(),
  isRepeated: (at) => new Date(at + HOUR_MS).getHours() === new Date(at).getHours(),
};

/** "Europe/Berlin", "UTC", "+02:00", "-0330", "UTC+2"; undefined: there is no such zone. */
export function parseZone(name: string): Zone | undefined {
  const offset = /^(?:UTC|GMT)?([+-])(\d{1,2})(?::?([0-5]\d))?$/i.exec(name);
  if (offset) {
    const [, sign, hours, minutes = "0"] = offset;
    const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return Number(hours) > 14 ? undefined : fixedZone(sign === "-" ? -ms : ms);
  }
  try {
    return namedZone(name);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The zone of this name; without a name, or where there is no such zone, that of this machine. */
export function zoneOrLocal(name: string | undefined): Zone {
  return (name === undefined ? undefined : parseZone(name)) ?? LOCAL_ZONE;
}

/** `offset`: milliseconds ahead of UTC. */
function fixedZone(offset: number): Zone {
  return {
    instantOf: (year, month, day, hours, minutes, seconds) =>
      Date.UTC(year, month, day, hours, minutes, seconds) - offset,
    isRepeated: () => false,
  };
}

/** Throws a RangeError where ICU does not know the name. */
function namedZone(name: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    ...{ year: "numeric", month: "numeric", day: "numeric" },
    ...{ hour: "numeric", minute: "numeric", second: "numeric" },
  });

  /** Milliseconds ahead of UTC at an instant. */
  function offsetAt(at: number): number {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    const wall = Date.UTC(
      ...([part("year"), part("month") - 1, part("day")] as const),
      ...([part("hour"), part("minute"), part("second")] as const),
    );
    return wall - Math.floor(at / 1000) * 1000;
  }

  /** The offset that holds when the clock on the wall shows `wall`, given as if it was UTC. */
  function offsetOfWall(wall: number): number {
    const [before, after] = [offsetAt(wall - DAY_MS), offsetAt(wall + DAY_MS)];
    if (before === after) return before;
    // Near a change. A time that the clock never shows is taken as Date takes it: as of before.
    const isOfAfter = offsetAt(wall - before) !== before && offsetAt(wall - after) === after;
    return isOfAfter ? after : before;
  }

  const keptOffset = oncePerQuarter(offsetOfWall);
  return {
    instantOf(year, month, day, hours, minutes, seconds) {
      const wall = Date.UTC(year, month, day, hours, minutes, seconds);
      return wall - keptOffset(wall);
    },
    isRepeated: oncePerQuarter((at) => offsetAt(at) - offsetAt(at + HOUR_MS) === HOUR_MS),
  };
}

/** Lines of one log are of one time: ICU is asked once in a quarter of an hour, not for every line. */
function oncePerQuarter<T>(ask: (at: number) => T): (at: number) => T {
  let kept: { quarter: number; answer: T } | undefined;
  return (at) => {
    const quarter = Math.floor(at / QUARTER_MS);
    if (kept?.quarter !== quarter) kept = { quarter, answer: ask(at) };
    return kept.answer;
  };
}

/** Another zone's clock, set by `ms` milliseconds later. */
export function shiftedZone(zone: Zone, ms: number): Zone {
  return {
    instantOf: (year, month, day, hours, minutes, seconds) =>
      zone.instantOf(year, month, day, hours, minutes, seconds) + ms,
    isRepeated: (at) => zone.isRepeated(at - ms),
  };
}
