/** Text from elsewhere as the CLI prints it: quoted, shortened, and in JSON. */
import { DRIVING, visible } from "../process/visible.ts";

export { visible };

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
