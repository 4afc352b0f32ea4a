/**
 * Text from elsewhere on a terminal: attackers choose user names, agents their
 * warnings, operators their reasons. None of it may move the cursor, hide a line or
 * turn the direction of writing.
 */

/**
 * Cc: C0, DEL and C1 (U+009B alone begins a sequence for xterm); Cf: what turns
 * the direction or is not seen at all; Zl, Zp: line ends; Cs: halves of a character.
 */
const DRIVING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text with every such character as an escape that can be read: \x1b, \u202e. */
export function visible(text: string): string {
  return text.replace(DRIVING, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
  });
}

/** An argument of the command line, in quotes. */
export function quote(text: string): string {
  return visible(JSON.stringify(text));
}

/** Code points: what takes one place on a terminal, but for wide and combining ones. */
export function lengthOf(text: string): number {
  return Array.from(text).length;
}

/** At most `length` characters that take room, the last of them "…" if there were more. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(visible(text));
  if (characters.length <= length) return characters.join("");
  return `${characters.slice(0, length - 1).join("")}…`;
}

/** JSON in which nothing drives a terminal either: JSON itself escapes C0 alone. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(DRIVING, (character) =>
    // The line ends between its parts are JSON's own; those in strings are escaped by now.
    character === "\n" ? character : escapeUnits(character),
  );
}

/** The same on one line. */
export function visibleJsonLine(value: unknown): string {
  return JSON.stringify(value).replace(DRIVING, escapeUnits);
}

function escapeUnits(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index += 1) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}
