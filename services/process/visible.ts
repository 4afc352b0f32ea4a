/**
 * Text from elsewhere on a terminal: attackers choose user names, agents their
 * warnings, operators their reasons. None of it may move the cursor, hide a line or
 * turn the direction of writing.
 */

/**
 * Cc: C0, DEL and C1 (U+009B alone begins a sequence for xterm); Cf: what turns
 * the direction or is not seen at all; Zl, Zp: line ends; Cs: halves of a character.
 */
export const DRIVING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text with every such character as an escape that can be read: \x1b, \u202e. */
export function visible(text: string): string {
  return text.replace(DRIVING, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
  });
}
