/**
 * The text as a string of its own. A part of a text keeps all of the text in memory, in V8 where
 * it has at least 13 characters: what outlives a line must not keep the chunk that the line is in.
 */
export function detached(text: string): string {
  return text.length < SHORTEST_PART ? text : ` ${text}`.slice(1);
}

/** V8 copies shorter parts (SlicedString::kMinLength). */
const SHORTEST_PART = 13;
