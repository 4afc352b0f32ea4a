/**
 * What fail2ban's date patterns are made of: the directives of strptime with fail2ban's own
 * (`%ExY`, `%k`, `%f`), each as a group that is named for what it holds.
 */

const DAY = "[1-2]\\d|[0 ]?[1-9]|3[0-1]";
const HOUR = "[0-1]?\\d|2[0-3]";
const MINUTE = "[0-5]?\\d";
const SECOND = "[0-5]?\\d|6[0-1]";
const OFFSET = "[+-][01]\\d(?::?\\d{2})?";
const ZONE_NAME = "[A-Z](?:[A-Z]{2,4})?";
const WEEKDAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const WEEKDAY_NAMES = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";

export const MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec".split("|");
const MONTH_NAMES =
  "January|February|March|April|May|June|July|August|September|October|November|December";

/** The letter behind %, the group's name, what it matches. */
const DIRECTIVES: Readonly<Record<string, readonly [name: string, regex: string]>> = {
  a: ["weekday", WEEKDAYS],
  A: ["weekday", WEEKDAY_NAMES],
  b: ["monthName", MONTHS.join("|")],
  B: ["monthName", MONTH_NAMES],
  d: ["day", DAY],
  Exd: ["day", "[1-2]\\d|0[1-9]|3[0-1]"],
  f: ["fraction", "[0-9]{1,6}"],
  H: ["hour", HOUR],
  ExH: ["hour", "[0-1]\\d|2[0-3]"],
  k: ["hour", " ?(?:[0-2]?\\d)"],
  Exk: ["hour", ` ?(?:${HOUR})`],
  I: ["hour12", "1[0-2]|0?[1-9]"],
  l: ["hour12", " ?(?:1?\\d)"],
  Exl: ["hour12", " ?(?:1[0-2]|\\d)"],
  j: ["yearDay", "36[0-6]|3[0-5]\\d|[1-2]\\d\\d|0[1-9]\\d|00[1-9]|[1-9]\\d|0[1-9]|[1-9]"],
  m: ["month", "0?[1-9]|1[0-2]"],
  Exm: ["month", "0[1-9]|1[0-2]"],
  M: ["minute", MINUTE],
  ExM: ["minute", "[0-5]\\d"],
  p: ["half", "AM|PM"],
  S: ["second", SECOND],
  ExS: ["second", "[0-5]\\d|6[0-1]"],
  y: ["shortYear", "\\d\\d"],
  Exy: ["shortYear", "\\d{2}"],
  Y: ["year", "\\d{4}"],
  ExY: ["year", "(?:19|20)\\d\\d"],
  z: ["zone", `Z|UTC|GMT|${OFFSET}`],
  Exz: ["zone", `(?:${ZONE_NAME})?${OFFSET}|${ZONE_NAME}`],
  Z: ["zone", "Z|[A-Z]{3,5}"],
  ExZ: ["zone", ZONE_NAME],
};

const DIRECTIVE = /%(%|Ex[dHkmMlSyYzZ]|[a-zA-Z])/g;

/** Puts groups in place of the directives; `refuse` throws at one that there is not. */
export function expandDirectives(
  pattern: string,
  refuse: (directive: string, index: number) => never,
): string {
  return pattern.replace(DIRECTIVE, (directive, letter: string, index: number) => {
    if (letter === "%") return "%";
    const [name, regex] = DIRECTIVES[letter] ?? refuse(directive, index);
    return `(?P<${name}>${regex})`;
  });
}

/** Does the case of letters not matter in it, as in names of months? */
export function hasNames(pattern: string): boolean {
  return /(?<!%)%[aAbBp]/.test(pattern);
}
