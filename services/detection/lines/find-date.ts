/**
 * The date in a line of any log, which fail2ban's filters do not get to see: at the line's
 * beginning or, where there is none, the first one further on, as fail2ban finds it without a
 * pattern for it.
 */
import {
  readIsoStamp,
  readMonthStamp,
  readTaiStamp,
  type Stamp,
  type StampClock,
  type WrittenAt,
} from "./timestamp.ts";
import { expandDirectives } from "./date-directives.ts";
import { instantOf } from "./date-instant.ts";

export interface FoundDate extends WrittenAt {
  /** Where it stands in the line. */
  from: number;
  to: number;
}

/** undefined: the line has no date. */
export type FindDate = (line: string, clock: StampClock) => FoundDate | undefined;

/** A date stands near the beginning; what somebody wrote further on is no date. */
const SEARCHED = 120;

/** In fail2ban's own order, which decides where several match at one place. */
export const DATE_FORMATS: readonly string[] = [
  // 2013-11-16T21:59:30.121+01:00; 2012/04/09  1:53:29; 2006.12.21 06:43:20
  String.raw`%ExY(?P<_sep>[-/.])%m(?P=_sep)%d(?:T|  ?)%H:%M:%S(?:[.,]%f)?(?:\s*%z)?`,
  // Tue Jul 22 06:48:30.123 2008; Jul  3 20:56:53
  String.raw`(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
  // Oct 27 2015 12:35:40
  String.raw`(?:%a )?%b %d %ExY %k:%M:%S(?:\.%f)?`,
  // 20/01/2015 19:53:28; 20-01-15 19:53:28
  String.raw`%d(?P<_sep>[-/])%m(?P=_sep)(?:%ExY|%Exy) %k:%M:%S`,
  // 20/Jan/2015:19:53:28 +0100; 22-Jan-2013 22:28:21.5
  String.raw`%d(?P<_sep>[-/])%b(?P=_sep)%ExY[ :]?%H:%M:%S(?:\.%f)?(?: %z)?`,
  // 05/20/2008:01:57:39
  String.raw`%m/%d/%ExY:%H:%M:%S`,
  // 01-27-2012 16:22:44.252
  String.raw`%m-%d-%ExY %k:%M:%S(?:\.%f)?`,
  // 20.01.2015 19:53:28, as Dovecot's log_timestamp is often set
  String.raw`%d\.%m\.%ExY[T ]%H:%M:%S(?:\.%f)?(?: ?%z)?`,
  // 1386543323.000; [1387288694]; audit(1386543323.000:17)
  String.raw`(?:(?:^|(?<=^\[)|(?<=\baudit\())(?P<epoch>\d{10,11}\b(?:\.\d{3,6})?)(?=$|[\s\]:,]))`,
  // 16:22:44, at the line's beginning
  String.raw`(?:(?<=^\W{0,2})%H:%M:%S)`,
  // <09/16/08@05:03:30>
  String.raw`(?:(?<=^)<%m/%d/%Exy@%H:%M:%S>)`,
  // 130322 11:46:11
  String.raw`%Exy%Exm%Exd  ?%H:%M:%S`,
  // Aug 23, 2017 8:17:35 PM
  String.raw`%b %d, %ExY %I:%M:%S %p`,
  // Apr-27-13 02:33:06
  String.raw`(?:(?<=^)%b-%d-%Exy %k:%M:%S)`,
  // 20050123T215959; 20050123  85959
  String.raw`%ExY%Exm%Exd(?:T|  ?)%ExH%ExM%ExS(?:[.,]%f)?(?:\s*%z)?`,
  // PDT Apr 16 21:05:29
  String.raw`(?:%Z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
  // +00:00 Jan 23 21:59:59.011 2005
  String.raw`(?:%z )?(?:%a )?%b %d %k:%M:%S(?:\.%f)?(?: %ExY)?`,
  // @4000000052f2d8a63a1c2b3c
  "(?P<tai>@[0-9a-f]{24})",
];

const noDirective = (directive: string): never => {
  throw new Error(`${directive}: there is no such directive`);
};
const SOURCES = DATE_FORMATS.map((format) =>
  expandDirectives(format, noDirective)
    .replaceAll("(?P<", "(?<")
    .replaceAll("(?P=_sep)", "\\k<_sep>"),
);
/** Beginning and end of a word, as fail2ban wants them around a date. */
const BEGIN = String.raw`(?=^|\b|\W)`;
const END = String.raw`(?=\b|\W|$)`;
const FORMATS = SOURCES.map((source) => new RegExp(`(?:${source})${END}`, "iy"));
/** Groups have their names in one format alone. */
const NAMELESS = SOURCES.map((source) =>
  source
    .replaceAll("(?<_sep>[-/])", "[-/]")
    .replaceAll("(?<_sep>[-/.])", "[-/.]")
    .replaceAll("\\k<_sep>", "[-/.]")
    .replace(/\(\?<\w+>/g, "(?:"),
).join("|");
const ANYWHERE = new RegExp(`${BEGIN}(?:${NAMELESS})${END}`, "gi");
const SPACE = 32;
const LOWER_A = 97;
const AT_BEGINNING = /^\W{0,2}/;

export const findDate: FindDate = (line, clock) => {
  const found = findDateAtBeginning(line, clock);
  if (found) return found;
  const head = line.slice(0, SEARCHED);
  ANYWHERE.lastIndex = 0;
  for (let match = ANYWHERE.exec(head); match; match = ANYWHERE.exec(head)) {
    const other = readAt(head, match.index, clock);
    if (other) return other;
    ANYWHERE.lastIndex = match.index + 1;
  }
  return undefined;
};

/** Behind two other characters at most. */
export const findDateAtBeginning: FindDate = (line, clock) => {
  const stamp = readIsoStamp(line, clock) ?? readMonthStamp(line, clock) ?? readTaiStamp(line);
  if (stamp && isWhole(line, stamp)) {
    return { at: stamp.at, hasZone: stamp.hasZone, from: 0, to: stamp.end };
  }
  const head = line.slice(0, SEARCHED);
  const marks = AT_BEGINNING.exec(head)?.[0].length ?? 0;
  for (let from = marks; from >= 0; from -= 1) {
    const found = readAt(head, from, clock);
    if (found) return found;
  }
  return undefined;
};

/** The first format that has a date at this place. */
function readAt(head: string, from: number, clock: StampClock): FoundDate | undefined {
  for (const format of FORMATS) {
    format.lastIndex = from;
    const match = format.exec(head);
    const found = match ? instantOf(match.groups ?? {}, clock) : undefined;
    if (match && found) {
      return { at: found.at, hasZone: found.hasZone, from, to: from + match[0].length };
    }
  }
  return undefined;
}

/** Is that all of the date? A year or a zone may follow. */
function isWhole(line: string, { end }: Stamp): boolean {
  const next = line.charCodeAt(end);
  if (next !== SPACE) return Number.isNaN(next) || !/^\w/.test(line.slice(end, end + 1));
  // Most lines go on with a host's name.
  const first = line.charCodeAt(end + 1);
  if (first >= LOWER_A) return true;
  return !/^ (?:(?:19|20)\d\d\b|[+-]\d\d|Z\b|UTC\b|GMT\b)/.test(line.slice(end, end + 6));
}
