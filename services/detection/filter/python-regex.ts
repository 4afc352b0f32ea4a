/**
 * Translates the regular expressions of fail2ban's filters into RE2's syntax: Python's `re` with
 * fail2ban's tags. RE2 takes a time that is linear in the length of a line, whoever wrote the line.
 * What RE2 lacks (looking around, going back to a group) is refused with its place.
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

/** Returns the expression in RE2's syntax; throws a RegexFault at the first thing that RE2 lacks. */
export function translateRegex(source: string): string {
  return new Translation(source).whole();
}

/** Goes through the expression once, from left to right. */
class Translation {
  readonly #source: string;
  /** The place of the next character that is not translated yet. */
  #at = 0;
  /** Where the groups that are open began. */
  readonly #open: number[] = [];
  readonly #names = new Set<string>();
  /** What `$` becomes. */
  readonly #end: string;

  constructor(source: string) {
    this.#source = source;
    this.#end = /\(\?[isu]*m/.test(source) ? "$" : END;
  }

  whole(): string {
    let out = "";
    while (this.#at < this.#source.length) out += this.#next();
    const unclosed = this.#open.pop();
    if (unclosed !== undefined) this.#refuse("(: its ) is missing", unclosed);
    return out;
  }

  #next(): string {
    const start = this.#at;
    const char = this.#source[start] ?? "";
    switch (char) {
      case "\\":
        return this.#escape(false);
      case "[":
        return this.#characterClass();
      case "(":
        return this.#noteGroups(this.#group(), start);
      case "*":
      case "+":
      case "?":
      case "{":
        return this.#quantifier();
      case "<":
        return this.#noteGroups(this.#tag(), start);
    }
    this.#at += 1;
    switch (char) {
      case "$":
        return this.#end;
      case "}":
      case "]":
        return `\\${char}`;
      default:
        return this.#noteGroups(char, start);
    }
  }

  #refuse(reason: string, where = this.#at): never {
    throw new RegexFault(where + 1, reason);
  }

  /** Goes past what `pattern` (sticky) finds at the present place. */
  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match) this.#at += match[0].length;
    return match;
  }

  /** Notes the groups that `translated`, which stands for the text from `start`, opens, closes and names. */
  #noteGroups(translated: string, start: number): string {
    for (const [, name = ""] of translated.matchAll(/\(\?P<(\w+)>/g)) {
      if (this.#names.has(name)) this.#refuse(`the group ${name} is there twice`, start);
      this.#names.add(name);
    }
    if (translated === ")" && this.#open.pop() === undefined) {
      this.#refuse("): there is no open group", start);
    }
    if (/^\((?!\?[imsu]+\))/.test(translated) && !translated.endsWith(")")) this.#open.push(start);
    return translated;
  }

  /** An escape, outside of a class or in one. */
  #escape(inClass: boolean): string {
    const start = this.#at;
    const letter =
      this.#source[start + 1] ?? this.#refuse("expected a character behind \\, got the end");
    const code = this.#take(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y);
    if (code) return `\\x{${code[1] ?? code[2] ?? code[3]}}`;
    const octal = this.#take(/\\(0[0-7]{0,2})/y);
    if (octal) return `\\x{${Number.parseInt(octal[1] ?? "0", 8).toString(16)}}`;
    this.#at += 2;
    if (letter >= "1" && letter <= "9") {
      this.#refuse(`\\${letter} goes back to a group: ${NOT_IN_LINEAR_TIME}`, start);
    }
    return inClass ? this.#escapeInClass(letter, start) : this.#escapeOutside(letter, start);
  }

  #escapeInClass(letter: string, start: number): string {
    if (letter === "W") this.#refuse("\\W within [ ] is not carried over", start);
    if (letter === "b") return "\\x08";
    return CLASSES[letter] ?? this.#escapedCharacter(letter, start);
  }

  #escapeOutside(letter: string, start: number): string {
    if (letter === "W") return "[^\\p{L}\\p{N}_]";
    if (letter === "Z") return END;
    if (/[AbB]/.test(letter)) return `\\${letter}`;
    const set = CLASSES[letter];
    return set === undefined ? this.#escapedCharacter(letter, start) : `[${set}]`;
  }

  #escapedCharacter(letter: string, start: number): string {
    if (/[afnrtv]/.test(letter)) return `\\${letter}`;
    if (/[a-zA-Z]/.test(letter)) this.#refuse(`\\${letter}: there is no such escape`, start);
    return /[\x20-\x7e]/.test(letter) ? `\\${letter}` : letter;
  }

  #characterClass(): string {
    const start = this.#at;
    let set = this.#take(/\[\^?/y)?.[0] ?? "";
    let isFirst = true;
    for (;;) {
      const char = this.#source[this.#at] ?? this.#refuse("[: its ] is missing", start);
      if (char === "]" && !isFirst) break;
      isFirst = false;
      if (char === "\\") set += this.#escape(true);
      else {
        set += char === "[" || char === "]" ? `\\${char}` : char;
        this.#at += 1;
      }
    }
    this.#at += 1;
    return `${set}]`;
  }

  #group(): string {
    const refused = REFUSED_GROUPS.find(([begin]) => this.#source.startsWith(begin, this.#at));
    if (refused) this.#refuse(refused[1]);
    if (this.#take(/\(\?#[^)]*\)/y)) return "";
    const named = this.#take(/\(\?P<([A-Za-z_]\w*)>/y);
    if (named) return `(?P<${named[1]}>`;
    const start = this.#at;
    // In `((?i)x)` the flags are for this group alone, and fail2ban takes it so.
    const flags = this.#take(/\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])/y);
    if (flags) return this.#flags(flags, start);
    if (this.#source.startsWith("(?", start)) this.#refuse("(?: there is no such group");
    this.#at += 1;
    return "(";
  }

  #flags([, on = "", off = "", end = ""]: RegExpExecArray, start: number): string {
    const unknown = /[^imsu]/.exec(on + off);
    if (unknown) this.#refuse(`(?${unknown[0]}): this flag is not carried over`, start);
    const [set, unset] = [on.replaceAll("u", ""), off.replaceAll("u", "")];
    if (end === ")") return set === "" ? "" : `(?${set})`;
    return `(?${set}${unset === "" ? "" : `-${unset}`}:`;
  }

  #quantifier(): string {
    const start = this.#at;
    const match = this.#take(/[*+?]|\{(?:\d{1,9},?\d{0,9}|,\d{1,9})\}/y);
    if (!match) {
      this.#at += 1; // A { with no numbers in it stands for itself.
      return "\\{";
    }
    const [text] = match;
    if (this.#source[this.#at] === "+") {
      this.#refuse(`${text}+ never gives back what it took: ${NOT_IN_LINEAR_TIME}`, start);
    }
    if ((text.match(/\d+/g) ?? []).some((count) => Number(count) > MAX_REPEAT)) {
      this.#refuse(`expected at most ${MAX_REPEAT} repetitions, got ${text}`, start);
    }
    const lazy = this.#take(/\?/y) ? "?" : "";
    return text.replace("{,", "{0,") + lazy;
  }

  #tag(): string {
    const start = this.#at;
    const [text, name] = this.#take(/<(\/?[\w-]+\/?)>/y) ?? [];
    const translated = name === undefined ? undefined : (TAGS[name] ?? openTag(name));
    if (translated === undefined) {
      this.#at = start + 1; // It is no tag, but some text between < and >.
      return "<";
    }
    if (typeof translated !== "string") this.#refuse(`${text}: ${translated.refused}`, start);
    return translated;
  }
}
