/**
 * The date in a line of any log, which fail2ban's filters do not get to see: at the line's
 * beginning or a little further on, behind a bracket or a space.
 */
import { inNearestYear, readIsoStamp, readMonthStamp, readTaiStamp } from "../stamp.ts";

export interface FoundDate {
  /** Epoch milliseconds. */
  at: number;
  /** Where it stands in the line. */
  from: number;
  to: number;
}

/** A date stands near the beginning; what somebody wrote further on is no date. */
const SEARCHED = 120;

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH = "(?<name>[A-Z][a-z]{2})";
const TIME = String.raw`(?<h>\d\d):(?<m>\d\d):(?<s>\d\d)(?:[.,](?<fraction>\d{1,9}))?`;
const ZONE = String.raw`(?:\s?(?<zone>Z|[+-]\d\d:?\d\d))?`;
const BEFORE = String.raw`(?:^|(?<=[[(<>\s=]))`;

const FORMATS = [
  // 2013-11-16 21:59:30,121; 2012/04/09 11:53:29
  String.raw`(?<year>\d{4})[-/.](?<month>\d\d)[-/.](?<day>\d\d)[T ]${TIME}${ZONE}`,
  // Tue Jul 22 06:48:30.123 2008; Jul  3 20:56:53; Oct 27 2015 12:35:40
  String.raw`(?:[A-Z][a-z]{2} )?${MONTH} {1,2}(?<day>\d{1,2})(?: (?<year>\d{4}))? ${TIME}(?: (?<late>\d{4})\b)?`,
  // 20.01.2015 19:53:28; 20-01-2015 19:53:28
  String.raw`(?<day>\d\d)[-.](?<month>\d\d)[-.](?<year>\d{4})[T ]${TIME}${ZONE}`,
  // 20/Jan/2015:19:53:28 +0100; 22-Jan-2013 22:28:21 +0200
  String.raw`(?<day>\d{1,2})[-/]${MONTH}[-/](?<year>\d{4})[: ]${TIME}${ZONE}`,
].map((format) => new RegExp(BEFORE + format));

/** 1386543323.000: seconds since 1970. */
const EPOCH = /^\d{10}(?:\.\d{1,6})?(?=\s)/;

export function findDate(line: string, receivedAt: number): FoundDate | undefined {
  const stamp = readIsoStamp(line) ?? readMonthStamp(line, receivedAt) ?? readTaiStamp(line);
  if (stamp) return { at: stamp.at, from: 0, to: stamp.end };
  const head = line.slice(0, SEARCHED);
  for (const format of FORMATS) {
    const match = format.exec(head);
    const at = match ? instantOf(match.groups ?? {}, receivedAt) : undefined;
    if (match && at !== undefined) {
      return { at, from: match.index, to: match.index + match[0].length };
    }
  }
  const epoch = EPOCH.exec(head)?.[0];
  return epoch === undefined
    ? undefined
    : { at: Math.floor(Number(epoch) * 1000), from: 0, to: epoch.length };
}

/** undefined: there is no such month. */
function instantOf(
  groups: Readonly<Record<string, string | undefined>>,
  receivedAt: number,
): number | undefined {
  const number = (name: string) => Number(groups[name]);
  const month = groups["name"] ? MONTHS.indexOf(groups["name"].toLowerCase()) : number("month") - 1;
  if (month < 0 || month > 11) return undefined;
  const fraction = Math.floor(Number(`0.${groups["fraction"] ?? "0"}`) * 1000);
  const parts = [month, number("day"), number("h"), number("m"), number("s"), fraction] as const;
  const year = groups["year"] ?? groups["late"];
  if (year === undefined) return inNearestYear((each) => new Date(each, ...parts), receivedAt);
  const zone = groups["zone"];
  if (zone === undefined) return new Date(Number(year), ...parts).getTime();
  return Date.UTC(Number(year), ...parts) - offsetOf(zone);
}

/** `Z`, `+01:00`, `-0130`: milliseconds ahead of UTC. */
function offsetOf(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith("-") ? -minutes : minutes) * 60_000;
}
