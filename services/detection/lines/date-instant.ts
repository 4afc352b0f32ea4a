/** When it was, from what the groups of a date pattern hold. */
import {
  inNearestYear,
  inRepeatedHour,
  readTaiStamp,
  type StampClock,
  type WrittenAt,
} from "./timestamp.ts";
import { MONTHS } from "./date-directives.ts";

export type DateGroups = Readonly<Record<string, string | null | undefined>>;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Hours ahead of UTC. A name that is not here stands for the zone of the log. */
const ZONES: Readonly<Record<string, number>> = {
  Z: 0,
  UTC: 0,
  GMT: 0,
  WET: 0,
  CET: 1,
  WEST: 1,
  CEST: 2,
  EET: 2,
  EEST: 3,
  MSK: 3,
  IST: 5.5,
  JST: 9,
  AEST: 10,
  AEDT: 11,
  NZST: 12,
  NZDT: 13,
  EST: -5,
  EDT: -4,
  CST: -6,
  CDT: -5,
  MST: -7,
  MDT: -6,
  PST: -8,
  PDT: -7,
};

/** What a pattern does not say is of today. undefined: there is no such month. */
export function instantOf(groups: DateGroups, clock: StampClock): WrittenAt | undefined {
  const { epoch, tai } = groups;
  if (epoch) return { at: epochOf(epoch), hasZone: true };
  if (tai) return readTaiStamp(tai);
  const offset = groups["zone"] ? offsetOf(groups["zone"]) : undefined;
  const at = instantOfDate(groups, offset, clock);
  return at === undefined ? undefined : { at, hasZone: offset !== undefined };
}

/** `offset`: minutes ahead of UTC; undefined: as the zone of the log. */
function instantOfDate(
  groups: DateGroups,
  offset: number | undefined,
  clock: StampClock,
): number | undefined {
  const number = (name: string) => Number(groups[name] ?? 0);
  const time = [hourOf(groups), number("minute"), number("second")] as const;
  const fraction = Math.floor(Number(`0.${groups["fraction"] ?? "0"}`) * 1000);
  const instant = (year: number, month: number, day: number) =>
    fraction +
    (offset === undefined
      ? clock.zone.instantOf(year, month, day, ...time)
      : Date.UTC(year, month, day, ...time) - offset * MINUTE_MS);

  const day = dayOf(groups);
  const year = yearOf(groups);
  if (day === undefined) {
    const { receivedAt } = clock;
    const today = new Date(receivedAt);
    const at = instant(today.getFullYear(), today.getMonth(), today.getDate());
    if (at > receivedAt) return at - DAY_MS; // it was before midnight
    return at + DAY_MS > receivedAt ? at : at + DAY_MS; // where the log is, it is tomorrow already
  }
  if (Number.isNaN(day[0])) return undefined;
  if (year !== undefined) {
    const at = instant(year, ...day);
    return offset === undefined ? inRepeatedHour(at, clock) : at;
  }
  return inNearestYear((each) => instant(each, ...day), clock);
}

/** undefined: no day is told. NaN: there is no such month. */
function dayOf(groups: DateGroups): readonly [month: number, day: number] | undefined {
  const { yearDay, monthName, month, day } = groups;
  if (yearDay) return [0, Number(yearDay)];
  if (!day || !(monthName ?? month)) return undefined;
  if (!monthName) return [Number(month) - 1, Number(day)];
  const index = MONTHS.indexOf(monthName.slice(0, 3).toLowerCase());
  return [index < 0 ? Number.NaN : index, Number(day)];
}

function yearOf({ year, shortYear }: DateGroups): number | undefined {
  if (year) return Number(year);
  return shortYear ? 2000 + Number(shortYear) : undefined;
}

function hourOf({ hour, hour12, half }: DateGroups): number {
  if (!hour12) return Number(hour ?? 0);
  const isAfternoon = half?.toLowerCase() === "pm";
  return (Number(hour12) % 12) + (isAfternoon ? 12 : 0);
}

/** Of seconds, or of as many digits as milliseconds or microseconds have. */
function epochOf(text: string): number {
  const digits = text.replace(/\..*/, "").length;
  const value = Number(text);
  return Math.floor(digits >= 16 ? value / 1000 : digits >= 13 ? value : value * 1000);
}

/** `Z`, `+01:00`, `-0130`, `+02`, `CET`, `UTC+0100`: minutes ahead of UTC. */
function offsetOf(zone: string): number | undefined {
  const at = zone.search(/[+-]/);
  const name = at < 0 ? zone : zone.slice(0, at);
  const hours = name === "" ? 0 : ZONES[name.toUpperCase()];
  if (hours === undefined || at < 0) return hours === undefined ? undefined : hours * 60;
  const digits = zone
    .slice(at + 1)
    .replace(":", "")
    .padEnd(4, "0");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return hours * 60 + (zone[at] === "-" ? -minutes : minutes);
}
