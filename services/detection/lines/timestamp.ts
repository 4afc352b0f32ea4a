/**
 * Time stamps at the beginning of log lines. Each reader returns when the line was
 * written (epoch milliseconds) and where the stamp ends, or undefined.
 */
import { detached } from "./detached.ts";
import { LOCAL_ZONE, type Zone } from "./zone.ts";

/** When a line was written. */
export interface WrittenAt {
  /** Epoch milliseconds. */
  at: number;
  /** Did the stamp say its zone? Otherwise `at` rests on the zone of the log. */
  hasZone: boolean;
}

export interface Stamp extends WrittenAt {
  /** Index after the stamp, without the space that follows. */
  end: number;
}

/**
 * Of the stamp that a logging system put around a message and the one that the message begins with,
 * the one that says its zone counts, and the outer one where both do or neither does.
 */
export function writtenAtOf(
  outer: WrittenAt | undefined,
  inner: WrittenAt | undefined,
): WrittenAt | undefined {
  if (outer === undefined || outer.hasZone) return outer ?? inner;
  return inner?.hasZone ? inner : outer;
}

/** What makes an instant of a stamp that does not say everything. */
export interface StampClock {
  /** When the line was read, epoch milliseconds: it tells the year, and the hour that comes twice. */
  readonly receivedAt: number;
  /** The zone of the log. */
  readonly zone: Zone;
}

export function localClock(receivedAt: number): StampClock {
  return { receivedAt, zone: LOCAL_ZONE };
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY_MS = 86_400_000;
/** TAI was 10 s ahead in 1972 and is 37 s ahead since 2017; multilog counts from 2^62 + 10. */
const TAI_OFFSET = 10;

/**
 * "Mar  3 04:05:06", "Mar 03 04:05:06.123456" (RFC 3164, Dovecot's own log): neither
 * year nor zone. The year is the one that lies nearest before a day after the line was read, so
 * that a stamp of 31 December read in January is of last year.
 */
export function readMonthStamp(text: string, clock: StampClock): Stamp | undefined {
  // "Nov 7 11:37:53": pages and programs take one of two spaces away.
  if (text[3] !== " " || (text[6] !== " " && text[5] !== " ")) return undefined;
  const match = /^([A-Z][a-z]{2}) ([ 0-3]\d|\d) (\d\d):(\d\d):(\d\d)(\.\d{1,9})?/.exec(
    text.slice(0, 26),
  );
  if (!match) return undefined;
  const [whole, name = "", day = "", hours = "", minutes = "", seconds = "", fraction] = match;
  const month = MONTHS.indexOf(name);
  if (month < 0 || month % 3 !== 0) return undefined;
  const { zone } = clock;
  const inYear = (year: number) =>
    zone.instantOf(year, month / 3, Number(day), Number(hours), Number(minutes), Number(seconds));
  const at = inNearestYear(inYear, clock) + milliseconds(fraction);
  return { at, hasZone: false, end: whole.length };
}

/** When a day without a year was: the last time before the line was read, or within a day to come. */
export function inNearestYear(inYear: (year: number) => number, clock: StampClock): number {
  const { receivedAt } = clock;
  const year = new Date(receivedAt).getFullYear();
  const at = inYear(year);
  if (at > receivedAt + DAY_MS) return inYear(year - 1);
  // Read on 31 December what a host ahead of us wrote on 1 January.
  if (at < receivedAt - 364 * DAY_MS) {
    const next = inYear(year + 1);
    if (next <= receivedAt + DAY_MS) return next;
  }
  return inRepeatedHour(at, clock);
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** When summer time ends an hour comes twice, and zones take the first: the second, if it is that now. */
export function inRepeatedHour(at: number, { receivedAt, zone }: StampClock): number {
  const later = at + HOUR_MS;
  if (later > receivedAt + MINUTE_MS) return at;
  return zone.isRepeated(at) ? later : at;
}

/**
 * "2026-03-03T04:05:06.784598+01:00", "2026-03-03T04:05:06+0100", "...Z" (RFC 3339), and
 * "2026-03-03 04:05:06" in the zone of the log.
 */
export function readIsoStamp(text: string, clock: StampClock): Stamp | undefined {
  const minute = utcOfMinute(text);
  if (minute === undefined || text[16] !== ":") return undefined;
  const seconds = digits(text, 17, 2);
  if (Number.isNaN(seconds)) return undefined;
  let end = 19;
  if (text[end] === "." || text[end] === ",") {
    let last = end + 1;
    while (last < end + 10 && isDigit(text, last)) last += 1;
    if (last > end + 1) end = last;
  }
  const fraction = end > 19 ? thousandths(text, 20, end) : 0;
  const zone = readZone(text, end);
  if (zone) {
    const at = minute + seconds * 1000 - zone.offset + fraction;
    return { at, hasZone: true, end: zone.end };
  }
  const at = clock.zone.instantOf(
    ...([digits(text, 0, 4), digits(text, 5, 2) - 1, digits(text, 8, 2)] as const),
    ...([digits(text, 11, 2), digits(text, 14, 2), seconds] as const),
  );
  return { at: inRepeatedHour(at, clock) + fraction, hasZone: false, end };
}

/**
 * Many lines of a log are of one minute, so the last minute that was read is remembered: one for
 * each separator, because Docker's stamp has a `T` where Dovecot's own, in the same line, has a blank.
 */
const lastWithT = { minute: "1970-01-01T00:00", utc: 0 };
const lastWithBlank = { minute: "1970-01-01 00:00", utc: 0 };

/** What `2026-03-03T04:05` is in UTC, epoch milliseconds; undefined: the text begins otherwise. */
function utcOfMinute(text: string): number | undefined {
  const last = text[10] === "T" ? lastWithT : lastWithBlank;
  if (text.startsWith(last.minute)) return last.utc;
  // By hand: nearly every line of a log has one, and a pattern takes five times as long.
  if (text[4] !== "-" || text[7] !== "-" || text[13] !== ":") return undefined;
  if (text[10] !== "T" && text[10] !== " ") return undefined;
  const month = digits(text, 5, 2) - 1;
  const hours = digits(text, 11, 2);
  const utc = Date.UTC(digits(text, 0, 4), month, digits(text, 8, 2), hours, digits(text, 14, 2));
  if (Number.isNaN(utc)) return undefined;
  last.minute = detached(text.slice(0, 16));
  last.utc = utc;
  return utc;
}

/** `Z`, `+01:00`, `+0100`: milliseconds before UTC, and where it ends. */
function readZone(text: string, at: number): { offset: number; end: number } | undefined {
  const sign = text[at];
  if (sign === "Z") return { offset: 0, end: at + 1 };
  if (sign !== "+" && sign !== "-") return undefined;
  const colon = text[at + 3] === ":" ? 1 : 0;
  const minutes = digits(text, at + 1, 2) * 60 + digits(text, at + 3 + colon, 2);
  if (Number.isNaN(minutes)) return undefined;
  return { offset: (sign === "-" ? -minutes : minutes) * 60_000, end: at + 5 + colon };
}

/** The number that the digits spell; NaN if any character is no digit. */
function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at += 1) {
    value = isDigit(text, at) ? value * 10 + text.charCodeAt(at) - 48 : Number.NaN;
  }
  return value;
}

/** The first three digits behind a point, as milliseconds. */
function thousandths(text: string, from: number, end: number): number {
  const digit = (at: number) => (at < end ? text.charCodeAt(at) - 48 : 0);
  return digit(from) * 100 + digit(from + 1) * 10 + digit(from + 2);
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

/** "@4000000067c52d1c2a3b4c5d" (TAI64N, as multilog and s6-log write it). */
export function readTaiStamp(text: string): Stamp | undefined {
  const match = /^@([0-9a-f]{16})([0-9a-f]{8})/.exec(text.slice(0, 25));
  if (!match) return undefined;
  const [whole, label = "", nanoseconds = ""] = match;
  const seconds = Number(BigInt(`0x${label}`) - (1n << 62n)) - TAI_OFFSET;
  return {
    at: seconds * 1000 + Math.floor(Number.parseInt(nanoseconds, 16) / 1e6),
    hasZone: true,
    end: whole.length,
  };
}

/**
 * "Tue 2026-03-03 04:05:06 CET" (journalctl -o short-full; a zone other than UTC is taken for the log's) and
 * "1772507106.123456" (short-unix).
 */
export function readJournalStamp(text: string, clock: StampClock): Stamp | undefined {
  const full = /^[A-Z][a-z]{2} (?=\d{4}-)/.exec(text.slice(0, 9));
  if (full) {
    const stamp = readIsoStamp(text.slice(4), clock);
    const zone = stamp && /^ (?:[A-Z]{2,5}|[+-]\d{2,4})(?= )/.exec(text.slice(4 + stamp.end));
    if (!stamp || !zone) return undefined;
    const end = 4 + stamp.end + zone[0].length;
    if (zone[0] !== " UTC") return { ...stamp, end };
    const inUtc = readIsoStamp(`${text.slice(4, 4 + stamp.end)}Z`, clock);
    return { ...(inUtc ?? stamp), end };
  }
  const unix = /^(\d{10})\.(\d{6})(?= )/.exec(text.slice(0, 20));
  if (!unix) return undefined;
  const [whole, seconds, micros] = unix;
  const at = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  return { at, hasZone: true, end: whole.length };
}

/** Of a fraction of a second with its point. */
function milliseconds(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.slice(1, 4).padEnd(3, "0"));
}
