/** Where a JSON object or array ends, found in one walk over the text, without parsing. */

/** No logging system nests objects and arrays deeper than this. */
const DEEPEST = 64;

const QUOTE = 34;
const BACKSLASH = 92;
/** `[` and `{` differ by this bit, as do `]` and `}`. */
const BRACE_BIT = 32;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * The index behind the bracket or brace that closes the one at `from`; undefined: nothing closes it, or
 * it nests too deep.
 */
export function endOfJson(text: string, from: number): number | undefined {
  let depth = 0;
  let isQuoted = false;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isQuoted = !isQuoted;
    else if (isQuoted) at += code === BACKSLASH ? 1 : 0;
    else if ((code | BRACE_BIT) === OPEN_BRACE) {
      depth += 1;
      if (depth > DEEPEST) return undefined;
    } else if ((code | BRACE_BIT) === CLOSE_BRACE) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}
