/**
 * Text from elsewhere: attackers choose user names, agents their warnings, operators their reasons.
 * The browser never takes it for markup. This file sees to the rest: characters that turn the
 * direction of writing, that are not seen, or that pile up on others become escapes that can be read.
 */

/**
 * Cc: control characters; Cf: what turns the direction or is not seen at all; Zl, Zp: line ends; Cs:
 * halves of a character; Co, Cn: characters that no font has; and the fillers, which look like spaces.
 */
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\u115f\u1160\u3164\uffa0\u2800\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const MARK = /\p{M}/u;
/** More marks on one character than any language needs would cover the lines around it. */
const MOST_MARKS = 3;

/** A part of a text: as it is, or the escape of one character. */
export interface Segment {
  text: string;
  isEscape: boolean;
}

export function segmentsOf(text: string): Segment[] {
  const segments: Segment[] = [];
  let marks = 0;
  let plain = "";
  const endPlain = () => {
    if (plain !== "") segments.push({ text: plain, isEscape: false });
    plain = "";
  };
  for (const character of text) {
    marks = MARK.test(character) ? marks + 1 : 0;
    if (!HIDDEN.test(character) && marks <= MOST_MARKS) {
      plain += character;
      continue;
    }
    endPlain();
    segments.push({ text: escapeOf(character), isEscape: true });
  }
  endPlain();
  return segments;
}

/** The text with its escapes, for places that hold nothing but text: titles, exports. */
export const visible = (text: string): string =>
  segmentsOf(text)
    .map((segment) => segment.text)
    .join("");

function escapeOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
}

/** The first `length` characters, and how many there are in all. */
export function cut(text: string, length: number): { text: string; total: number } {
  // A character has at most two code units, so a long text need not be taken apart as a whole.
  if (text.length <= length) return { text, total: text.length };
  const first = Array.from(text.slice(0, 2 * length)).slice(0, length);
  return { text: first.join(""), total: text.length };
}
