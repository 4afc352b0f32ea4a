/**
 * The table of time stamps that stand in front of a message, each under its sample. Any of them may
 * stand in any envelope. The usual ones come first, and a stamp's first character decides which
 * readers are asked at all.
 */
import { findDateAtBeginning } from "./find-date.ts";
import {
  readIsoStamp,
  readJournalStamp,
  readMonthStamp,
  readTaiStamp,
  type Stamp,
  type StampClock,
} from "./timestamp.ts";
import { parseZone } from "./zone.ts";

type ReadStamp = (text: string, clock: StampClock) => Stamp | undefined;

interface StampForm {
  /** Characters that such a stamp can begin with. */
  begins: "digit" | "capital" | "mark";
  read: ReadStamp;
}

const STAMPS: readonly StampForm[] = [
  // 2026-03-03T04:05:06.784598+01:00; 2026-03-03 04:05:06,784 +0100; 2026-03-03 04:05:06 CET
  { begins: "digit", read: withZone(readIsoStamp) },
  // Mar  3 04:05:06; Mar 3 04:05:06.784598; Mar 03 04:05:06 UTC
  { begins: "capital", read: withZone(readMonthStamp) },
  // @4000000067c52d1c2a3b4c5d
  { begins: "mark", read: readTaiStamp },
  // Tue 2026-03-03 04:05:06 CET
  { begins: "capital", read: readJournalStamp },
  // 1772507106.784598
  { begins: "digit", read: readJournalStamp },
  // 2026 Mar  3 04:05:06
  { begins: "digit", read: withZone(readYearFirst) },
  // Tue Mar  3 04:05:06 2026; Mar  3 2026 04:05:06
  { begins: "capital", read: readOther },
  // 03.03.2026 04:05:06; 2026/03/03 04:05:06; 03/Mar/2026:04:05:06 +0000; 1772507106; 20260303 040506
  { begins: "digit", read: readOther },
  // [2026-03-03 04:05:06]; [1772507106.784]; <03/03/26@04:05:06>
  { begins: "mark", read: readOther },
];

const [DIGIT_FORMS, CAPITAL_FORMS, MARK_FORMS] = (["digit", "capital", "mark"] as const).map(
  (kind) => STAMPS.filter(({ begins }) => begins === kind).map(({ read }) => read),
) as [ReadStamp[], ReadStamp[], ReadStamp[]];

/** The stamp that a text begins with. */
export function readStamp(text: string, clock: StampClock): Stamp | undefined {
  for (const read of formsOf(text.charCodeAt(0))) {
    const stamp = read(text, clock);
    if (stamp) return stamp;
  }
  return undefined;
}

function formsOf(first: number): readonly ReadStamp[] {
  if (first >= 48 && first <= 57) return DIGIT_FORMS;
  if (first >= 65 && first <= 90) return CAPITAL_FORMS;
  return first === 64 || first === 91 || first === 60 ? MARK_FORMS : []; // @ [ <
}

/** A year behind the stamp is part of the stamp, and another form's. */
const YEAR = / (?:19|20)\d\d(?= )/y;
/** ` UTC`, ` +0100`: `%z` behind a stamp; ` CET`: `%Z`, which stands for the log's zone. */
const ZONE = / ?(?:(UTC|GMT|Z|[+-]\d\d:?\d\d)|[A-Z]{2,5})(?=[\s\]:]|$)/y;

function withZone(read: ReadStamp): ReadStamp {
  return (text, clock) => {
    const stamp = read(text, clock);
    if (!stamp || stamp.hasZone || isFollowedByName(text, stamp.end)) return stamp;
    YEAR.lastIndex = stamp.end;
    if (YEAR.test(text)) return undefined;
    ZONE.lastIndex = stamp.end;
    const match = ZONE.exec(text);
    if (!match) return stamp;
    const [whole, name] = match;
    const end = stamp.end + whole.length;
    if (name === undefined) return { ...stamp, end };
    const zone = parseZone(/^[+-]/.test(name) ? name : "+00:00");
    const exact = zone && read(text, { ...clock, zone });
    return exact ? { at: exact.at, hasZone: true, end } : stamp;
  };
}

/** ` mx1`, ` imap-login`: neither a year nor a zone begins with a small letter. */
function isFollowedByName(text: string, end: number): boolean {
  const next = text.charCodeAt(end + 1);
  return text[end] === " " && next >= 97 && next <= 122;
}

function readYearFirst(text: string, clock: StampClock): Stamp | undefined {
  if (text[4] !== " " || text[8] !== " ") return undefined;
  const year = /^\d{4} /.exec(text.slice(0, 5))?.[0].trimEnd();
  if (year === undefined) return undefined;
  // The stamp of a day of this year lies nearest before the year's end.
  const endOfYear = { ...clock, receivedAt: Date.UTC(Number(year), 11, 31, 12) };
  const stamp = readMonthStamp(text.slice(5), endOfYear);
  return stamp && { ...stamp, end: stamp.end + 5 };
}

/** Whatever fail2ban takes for a date, in brackets too. */
function readOther(text: string, clock: StampClock): Stamp | undefined {
  const found = findDateAtBeginning(text, clock);
  if (!found) return undefined;
  // Nothing but one bracket stands in front of a stamp.
  if (found.from > 1) return undefined;
  return { at: found.at, hasZone: found.hasZone, end: found.to };
}

/** `] `, ` `, `: `, tabs: where the text behind a stamp begins. */
const BEHIND = /[\])>]?:?[ \t]{0,4}/y;

export function endOfStamp(text: string, { end }: Stamp): number {
  if (isFollowedByName(text, end)) return end + 1;
  BEHIND.lastIndex = end;
  BEHIND.test(text);
  return BEHIND.lastIndex;
}
