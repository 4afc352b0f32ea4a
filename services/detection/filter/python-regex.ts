/**
 * Regular expressions as fail2ban's filters have them, in RE2's syntax: Python's `re` with
 * fail2ban's tags. RE2 takes a time that is linear in the line, whoever wrote that; what it
 * has not (looking around, going back to a group) is refused with its place.
 */
import { TAGS, openTag } from "./tags.ts";

/** The expression cannot be used; `column` counts from 1; undefined: all of it. */
export class RegexFault extends Error {
  override name = "RegexFault";
  readonly column: number | undefined;
  constructor(column: number | undefined, message: string) {
    super(message);
    this.column = column;
  }
}

/** What Python's str knows as white space, and what it does not, for a class. */
const SPACE =
  "\\t-\\r\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
const NO_SPACE =
  "\\x00-\\x08\\x0e-\\x1b!-\\x84\\x86-\\x9f\\xa1-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}";

/** Python's classes are those of Unicode; by their letter, as they stand within [ ]. */
const CLASSES: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: "\\p{L}\\p{N}_",
  s: SPACE,
  S: NO_SPACE,
};

/** Where Python's $ matches: also before a \n that ends the text. */
const END = "(?:\\n?\\z)";

/** RE2's own limit. */
const MAX_REPEAT = 1000;

const NOT_IN_LINEAR_TIME = "a linear-time engine cannot do it";

/** Groups that begin with (? and cannot be carried over. */
const REFUSED_GROUPS: readonly (readonly [string, string])[] = [
  ["(?=", `(?=...) looks ahead: ${NOT_IN_LINEAR_TIME}`],
  ["(?!", `(?!...) looks ahead: ${NOT_IN_LINEAR_TIME}`],
  ["(?<=", `(?<=...) looks behind: ${NOT_IN_LINEAR_TIME}`],
  ["(?<!", `(?<!...) looks behind: ${NOT_IN_LINEAR_TIME}`],
  ["(?>", `(?>...) never gives back what it took: ${NOT_IN_LINEAR_TIME}`],
  ["(?P=", `(?P=name) goes back to a group: ${NOT_IN_LINEAR_TIME}`],
  ["(?(", `(?(group)...) depends on a group: ${NOT_IN_LINEAR_TIME}`],
];

/** Returns the expression in RE2's syntax; throws a RegexFault at the first thing that it has not. */
export function translateRegex(source: string): string {
  let at = 0;
  let out = "";
  /** Where the groups that are open began. */
  const open: number[] = [];
  const names = new Set<string>();
  const end = /\(\?[isu]*m/.test(source) ? "$" : END;

  const refuse = (reason: string, where = at): never => {
    throw new RegexFault(where + 1, reason);
  };

  /** Copies what `pattern` (sticky) finds here. */
  function take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match) at += match[0].length;
    return match;
  }

  /** Notes the groups that `translated`, from here on, opens, closes and names. */
  function noteGroups(translated: string, start: number): string {
    for (const [, name = ""] of translated.matchAll(/\(\?P<(\w+)>/g)) {
      if (names.has(name)) refuse(`the group ${name} is there twice`, start);
      names.add(name);
    }
    if (translated === ")" && open.pop() === undefined) refuse("): there is no open group", start);
    if (/^\((?!\?[imsu]+\))/.test(translated) && !translated.endsWith(")")) open.push(start);
    return translated;
  }

  /** An escape, outside of a class or in one. */
  function escape(inClass: boolean): string {
    const start = at;
    const letter = source[at + 1] ?? refuse("expected a character behind \\, got the end");
    const code = take(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y);
    if (code) return `\\x{${code[1] ?? code[2] ?? code[3]}}`;
    at += 2;
    if (letter === "0") {
      at -= 1;
      const octal = take(/[0-7]{1,3}/y);
      return `\\x{${Number.parseInt(octal?.[0] ?? "0", 8).toString(16)}}`;
    }
    if (letter >= "1" && letter <= "9") {
      return refuse(`\\${letter} goes back to a group: ${NOT_IN_LINEAR_TIME}`, start);
    }
    if (letter === "W")
      return inClass ? refuse("\\W within [ ] is not carried over", start) : "[^\\p{L}\\p{N}_]";
    const set = CLASSES[letter];
    if (set !== undefined) return inClass ? set : `[${set}]`;
    if (letter === "Z" && !inClass) return END;
    if (inClass ? letter === "b" : /[AbB]/.test(letter))
      return letter === "b" && inClass ? "\\x08" : `\\${letter}`;
    if (/[afnrtv]/.test(letter)) return `\\${letter}`;
    if (/[a-zA-Z]/.test(letter)) return refuse(`\\${letter}: there is no such escape`, start);
    return /[\x20-\x7e]/.test(letter) ? `\\${letter}` : letter;
  }

  function characterClass(): string {
    const start = at;
    let set = take(/\[\^?/y)?.[0] ?? "";
    let isFirst = true;
    for (;;) {
      const char = source[at] ?? refuse("[: its ] is missing", start);
      if (char === "]" && !isFirst) break;
      isFirst = false;
      if (char === "\\") set += escape(true);
      else {
        set += char === "[" || char === "]" ? `\\${char}` : char;
        at += 1;
      }
    }
    at += 1;
    return `${set}]`;
  }

  function group(): string {
    const refused = REFUSED_GROUPS.find(([begin]) => source.startsWith(begin, at));
    if (refused) return refuse(refused[1]);
    if (take(/\(\?#[^)]*\)/y)) return "";
    const named = take(/\(\?P<([A-Za-z_]\w*)>/y);
    if (named) return `(?P<${named[1]}>`;
    const start = at;
    // `((?i)x)`: whoever wrote that meant this group, and fail2ban takes it so.
    const flags = take(/\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])/y);
    if (flags) {
      const [, on = "", off = "", end = ""] = flags;
      const unknown = /[^imsu]/.exec(on + off);
      if (unknown) return refuse(`(?${unknown[0]}): this flag is not carried over`, start);
      const [set, unset] = [on.replaceAll("u", ""), off.replaceAll("u", "")];
      if (end === ")") return set === "" ? "" : `(?${set})`;
      return `(?${set}${unset === "" ? "" : `-${unset}`}:`;
    }
    if (source.startsWith("(?", at)) return refuse("(?: there is no such group");
    at += 1;
    return "(";
  }

  function quantifier(): string {
    const start = at;
    const match = take(/[*+?]|\{(?:\d{1,9},?\d{0,9}|,\d{1,9})\}/y);
    if (!match) {
      at += 1; // { with no numbers in it is itself
      return "\\{";
    }
    if (source[at] === "+")
      return refuse(`${match[0]}+ never gives back what it took: ${NOT_IN_LINEAR_TIME}`, start);
    if ((match[0].match(/\d+/g) ?? []).some((count) => Number(count) > MAX_REPEAT)) {
      refuse(`expected at most ${MAX_REPEAT} repetitions, got ${match[0]}`, start);
    }
    const lazy = take(/\?/y) ? "?" : "";
    return match[0].replace("{,", "{0,") + lazy;
  }

  function tag(): string {
    const match = /<(\/?[\w-]+\/?)>/y;
    match.lastIndex = at;
    const name = match.exec(source)?.[1];
    if (name === undefined) {
      at += 1;
      return "<";
    }
    const start = at;
    const translated = TAGS[name] ?? openTag(name);
    if (translated === undefined) {
      at += 1; // no tag: some text between < and >
      return "<";
    }
    if (typeof translated !== "string") return refuse(`<${name}>: ${translated.refused}`, start);
    at += name.length + 2;
    return translated;
  }

  while (at < source.length) {
    const start = at;
    const char = source[at] ?? "";
    if (char === "\\") out += escape(false);
    else if (char === "[") out += characterClass();
    else if (char === "(") out += noteGroups(group(), start);
    else if ("*+?{".includes(char)) out += quantifier();
    else if (char === "<") out += noteGroups(tag(), start);
    else {
      if (char === "$") out += end;
      else out += char === "}" || char === "]" ? `\\${char}` : noteGroups(char, start);
      at += 1;
    }
  }
  const unclosed = open.pop();
  if (unclosed !== undefined) refuse("(: its ) is missing", unclosed);
  return out;
}
