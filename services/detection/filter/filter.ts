/** A custom filter: which lines of any log are failures, as fail2ban's filters say it. */
import { RE2JS } from "re2js";
import { parseAddress, type Address } from "../../wire/address.ts";
import { findDate, type FindDate } from "../lines/find-date.ts";
import { compileDatePattern } from "./date-pattern.ts";
import { lookedAt, MOST_LOOKED_AT } from "./looked-at.ts";
import { RegexFault, translateRegex } from "./python-regex.ts";
import { runThrough, type Steps } from "./steps.ts";

/** fail2ban's options of a filter, each expression for itself. */
export interface FilterRules {
  /** Must match first; what its <F-CONTENT>, if any, holds is what the others see. */
  prefregex?: string | undefined;
  failregex: readonly string[];
  ignoreregex?: readonly string[] | undefined;
  /** Where the date stands, for logs whose dates are not found without. */
  datepattern?: string | undefined;
}

export interface Match {
  address: Address;
  user: string | undefined;
  /** The expression that matched, counted from 1. */
  rule: number;
}

export interface Filter {
  /** Finds the date, which is taken off a line before it is matched. */
  findDate: FindDate;
  /** What a line without its time stamp says; undefined: no failure of an address. */
  match(line: string): Match | undefined;
  /** The same in steps, one for each expression. */
  matching(line: string): Steps<Match | undefined>;
}

/** An expression that cannot be used. */
export interface FilterFault {
  option: "prefregex" | "failregex" | "ignoreregex" | "datepattern";
  /** Of the option's expressions, counted from 0. */
  index: number;
  /** Counted from 1; undefined: the whole of it. */
  column: number | undefined;
  reason: string;
}

export class FilterError extends Error {
  override name = "FilterError";
  readonly faults: readonly FilterFault[];
  constructor(faults: readonly FilterFault[]) {
    super(faults.map(describeFault).join("\n"));
    this.faults = faults;
  }
}

export function describeFault({ option, index, column, reason }: FilterFault): string {
  const isOne = option === "prefregex" || option === "datepattern";
  const where = isOne ? option : `${option} ${index + 1}`;
  return `${where}${column === undefined ? "" : `, column ${column}`}: ${reason}`;
}

/** Groups that name the address, in the order in which they are asked. */
const ADDRESS_GROUPS = ["ip4", "ip6", "host", "addr"];
/** A user's name stands in one of these. */
const USER_GROUPS = /^(?:user|alt_user(?:_?\d+)?)$/;

/** Throws a FilterError with everything that cannot be used. */
export function compileFilter(rules: FilterRules): Filter {
  const { find, ...expressions } = compileRules(rules);
  return {
    // A date stands near the beginning of a line.
    findDate: (line, clock) => find(line.slice(0, MOST_LOOKED_AT), clock),
    match: (line) => runThrough(matching(expressions, line)),
    matching: (line) => matching(expressions, line),
  };
}

/** The expressions of a filter. */
interface Expressions {
  prefix: RE2JS | undefined;
  /** Where none of these matches a line, the prefix need not be tried; undefined: it is always tried. */
  gates: readonly RE2JS[] | undefined;
  fail: readonly RE2JS[];
  ignore: readonly RE2JS[];
}

function compileRules(rules: FilterRules): Expressions & { find: FindDate } {
  const { prefregex, datepattern } = rules;
  const compiler = new FilterCompiler();
  const prefix =
    prefregex === undefined
      ? undefined
      : compiler.attempt("prefregex", 0, () => compiler.compile("prefregex", prefregex));
  const fail = compiler.compileAll("failregex", rules.failregex);
  const ignore = compiler.compileAll("ignoreregex", rules.ignoreregex);
  const find =
    datepattern === undefined
      ? findDate
      : compiler.attempt("datepattern", 0, () => compileDatePattern(datepattern));
  if (compiler.faults.length > 0 || !find) throw new FilterError(compiler.faults);
  return { prefix, gates: prefix && gatesOf(rules.failregex), fail, ignore, find };
}

class FilterCompiler {
  readonly faults: FilterFault[] = [];
  /** The prefregex already holds the address. */
  #isAddressed = false;

  /** Notes what is wrong with an option; undefined: something is. */
  attempt<T>(option: FilterFault["option"], index: number, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const column = error instanceof RegexFault ? error.column : undefined;
      const reason = error.message.replace(/^error parsing regexp: /, "");
      this.faults.push({ option, index, column, reason });
      return undefined;
    }
  }

  compileAll(option: FilterFault["option"], sources: readonly string[] = []): RE2JS[] {
    return sources.flatMap(
      (source, index) => this.attempt(option, index, () => this.compile(option, source)) ?? [],
    );
  }

  compile(option: FilterFault["option"], source: string): RE2JS {
    const compiled = RE2JS.compile(translateRegex(source));
    const hasAddress = ADDRESS_GROUPS.some((name) => name in compiled.namedGroups());
    if (option === "prefregex") this.#isAddressed = hasAddress;
    if (option === "failregex" && !hasAddress && !this.#isAddressed) {
      const expected = "expected <HOST>, <ADDR>, <IP4>, <IP6> or (?P<host>...), got none";
      throw new RegexFault(undefined, expected);
    }
    return compiled;
  }
}

function* matching(
  { prefix, gates, fail, ignore }: Expressions,
  withoutEnd: string,
): Steps<Match | undefined> {
  const line = `${lookedAt(withoutEnd)}\n`; // as fail2ban has it: a \s at the end finds that
  let text = line;
  let before: Groups = {};
  if (prefix) {
    if (gates && !gates.some((gate) => gate.test(line))) return undefined;
    yield;
    if (!prefix.test(line)) return undefined;
    before = groupsOf(prefix, line);
    if (before["content"]) text = `${before["content"]}\n`;
  }
  // test() notes no groups and is many times as fast.
  for (const [index, each] of fail.entries()) {
    yield;
    if (!each.test(text)) continue;
    yield;
    if (ignore.some((other) => other.test(text))) return undefined;
    const groups = { ...before, ...groupsOf(each, text) };
    const address = addressIn(groups);
    return address && { address, user: userIn(groups), rule: index + 1 };
  }
  return undefined;
}

/**
 * Expressions that match every line whose content the failregex would match, so that
 * the prefregex with its groups is tried on few lines; undefined: there are none.
 */
function gatesOf(sources: readonly string[]): RE2JS[] | undefined {
  const open = sources.map((source) => source.replace(/^\^/, "").replace(/(?<!\\)\$$/, ""));
  // Another anchor would see the content's end where the line goes on.
  if (open.some((source) => /\^|\$|\\[AbBzZ]/.test(source.replace(/\\[$^]|\[[^\]]*\]/g, "")))) {
    return undefined;
  }
  return open.map((source) => RE2JS.compile(translateRegex(source)));
}

type Groups = Readonly<Record<string, string | null | undefined>>;

function groupsOf(regex: RE2JS, text: string): Groups {
  const matcher = regex.matcher(text);
  return matcher.find() ? matcher.getNamedGroups() : {};
}

/** undefined: a host's name, or nothing that is an address. Names are not asked for. */
function addressIn(groups: Groups): Address | undefined {
  for (const name of ADDRESS_GROUPS) {
    const text = groups[name];
    if (text) return parseAddress(text.replace(/^\[|\]$/g, ""));
  }
  return undefined;
}

function userIn(groups: Groups): string | undefined {
  for (const [name, text] of Object.entries(groups)) {
    if (text && USER_GROUPS.test(name)) return text;
  }
  return undefined;
}
