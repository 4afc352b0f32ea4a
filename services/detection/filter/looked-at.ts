/**
 * How much of a line a filter looks at. RE2 takes time in proportion to the length of a line, some
 * microseconds for each character and expression, so whoever can write long lines into a log could
 * keep the agent from all other work.
 *
 * fail2ban's own sample lines have at most 600 characters. The end of a long line is looked at, too:
 * there the address stands where a user name before it was padded. An attacker gains nothing from
 * the middle that is left out, because the attacker could have left it out, too.
 */

/** The most characters of a line that a filter looks at. */
export const MOST_LOOKED_AT = 4_096;
/** How many of them are the last ones of the line. */
const AT_THE_END = 1_024;

export function isLookedAtWhole(text: string): boolean {
  return text.length <= MOST_LOOKED_AT;
}

/** The text as a filter looks at it: its beginning and its end. */
export function lookedAt(text: string): string {
  if (isLookedAtWhole(text)) return text;
  return text.slice(0, MOST_LOOKED_AT - AT_THE_END) + text.slice(-AT_THE_END);
}
