/**
 * fail2ban's `datepattern`: where the date stands in a line and how it is written, for logs
 * whose dates are not found without. One pattern a line; the first that matches holds.
 *
 * What is written around the date may be anybody's, so these run in linear time, too.
 */
import { RE2JS } from "re2js";
import { DATE_FORMATS, findDate, findDateAtBeginning, type FindDate } from "../lines/find-date.ts";
import { expandDirectives, hasNames } from "../lines/date-directives.ts";
import { instantOf } from "../lines/date-instant.ts";
import { RegexFault, translateRegex } from "./python-regex.ts";

const LINE_BEGIN = "{^LN-BEG}";
const UNBOUND = "{UNB}";
/** `Epoch`, `{^LN-BEG}Epoch`, `TAI64N`: what stands for a pattern when it is all there is. */
const WHOLE: Readonly<Record<string, string>> = {
  EPOCH: String.raw`(?:^|^\[|\baudit\()(?P<epoch>\d{10,11}\b(?:\.\d{3,6})?)(?:$|[\s\]:,])`,
  "{^LN-BEG}EPOCH": String.raw`^\W{0,2}(?P<epoch>\d{10,11}\b(?:\.\d{3,6})?)(?:\b|\W|$)`,
  LEPOCH: String.raw`(?:^|^\[|\baudit\()(?P<epoch>\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?)(?:$|[\s\]:,])`,
  "{^LN-BEG}LEPOCH": String.raw`^\W{0,2}(?P<epoch>\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?)(?:\b|\W|$)`,
  TAI64N: "(?P<tai>@[0-9a-f]{24})",
  "{^LN-BEG}TAI64N": String.raw`^\W{0,2}(?P<tai>@[0-9a-f]{24})(?:\b|\W|$)`,
};
const EPOCH = String.raw`(?P<epoch>\d{10,11}\b(?:\.\d{3,6})?)`;
const LONG_EPOCH = String.raw`(?P<epoch>\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?)`;

/** Formats that begin at a place of their own are no part of a pattern. */
const INNER_FORMATS = DATE_FORMATS.filter((format) => !format.includes("(?<="));

/** Throws a RegexFault at what cannot be used. */
export function compileDatePattern(text: string): FindDate {
  const patterns = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const finders = patterns.map(finderOf);
  return (line, clock) => {
    for (const find of finders) {
      const found = find(line, clock);
      if (found) return found;
    }
    return undefined;
  };
}

function finderOf(pattern: string): FindDate {
  const key = pattern.toUpperCase();
  if (key === "{DEFAULT}") return findDate;
  if (key === LINE_BEGIN) return findDateAtBeginning;
  if (key === "{NONE}") return () => undefined;
  const whole = WHOLE[key] ?? WHOLE[key.replace(/^\^/, LINE_BEGIN)];
  if (whole !== undefined) return finderFor([RE2JS.compile(whole)]);
  const sources = /\{DATE\}/i.test(pattern)
    ? INNER_FORMATS.map((format) => pattern.replace(/\{DATE\}/i, () => format))
    : [pattern];
  return finderFor(sources.map((source) => compile(source, pattern)));
}

function finderFor(regexes: readonly RE2JS[]): FindDate {
  return (line, clock) => {
    for (const regex of regexes) {
      if (!regex.test(line)) continue;
      const matcher = regex.matcher(line);
      if (!matcher.find()) continue;
      const found = instantOf(matcher.getNamedGroups(), clock);
      if (found) return { ...found, from: matcher.start(1), to: matcher.end(1) };
    }
    return undefined;
  };
}

/** `shown`: as the administrator wrote it, for messages. */
function compile(source: string, shown: string): RE2JS {
  const isUnbound = source.startsWith(UNBOUND);
  const atBeginning = !isUnbound && source.startsWith(LINE_BEGIN);
  let pattern = source.replace(/^(?:\{UNB\}|\{\^LN-BEG\})/, "");
  const flags = /^\(\?[a-z]+\)/.exec(pattern)?.[0] ?? (hasNames(pattern) ? "(?i)" : "");
  pattern = pattern.replace(/^\(\?[a-z]+\)/, "");
  const needsBegin = !isUnbound && !/^\(*(?:\^|\*\*|\((?:\?:)?\^)/.test(pattern);
  const needsEnd = !isUnbound && !/(?:(?<!\\)\$\)?|\\b|\\s|\*\*\)*)$/.test(pattern);
  pattern = pattern.replace(/^(\(*)\*\*/, "$1").replace(/(?<!\\)\*\*(\)*)$/, "$1");
  // What a group holds is taken off the line; without one, all that matches.
  if (!/(?<!\\)\((?!\?)/.test(pattern)) {
    pattern = pattern.replace(/^(\^?)(.*?)(\$?)$/s, "$1($2)$3");
  }
  if (needsBegin)
    pattern = (atBeginning ? String.raw`^\W{0,2}` : String.raw`(?:^|\b|\W)`) + pattern;
  if (needsEnd) pattern += String.raw`(?:\b|\W|$)`;
  pattern = pattern.replace(/\{LEPOCH\}/i, LONG_EPOCH).replace(/\{EPOCH\}/i, EPOCH);
  try {
    const expanded = expandDirectives(pattern, (directive) => {
      throw new RegexFault(
        shown.indexOf(directive) + 1,
        `${directive}: there is no such directive`,
      );
    });
    return RE2JS.compile(translateRegex(flags + withoutSeparators(expanded)));
  } catch (error) {
    if (error instanceof RegexFault && error.message.endsWith("directive")) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new RegexFault(undefined, `${shown}: ${reason}`);
  }
}

/** `(?P<_sep>[-/.])...(?P=_sep)`: the second place takes any of them. */
function withoutSeparators(pattern: string): string {
  return pattern.replace(/\(\?P=(\w+)\)/g, (reference, name: string) => {
    const held = new RegExp(String.raw`\(\?P<${name}>(\[[^\]]*\])\)`).exec(pattern)?.[1];
    return held ?? reference;
  });
}
