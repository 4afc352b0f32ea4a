/** What is given on the command line, checked before anything is asked. */
import { EXIT, PlainError } from "../daemon/exit.ts";
import { parseDuration } from "../daemon/duration.ts";
import { familyOf, isNetwork, parseAddress, parseNetwork, prefixOf } from "../wire/address.ts";
import type { Address } from "../wire/address.ts";
import { WIDEST_BAN } from "../wire/api.ts";
import { hostToken, JAIL_NAME, NAME } from "../wire/subjects.ts";
import { parseInstant } from "./time.ts";
import { quote } from "./visible.ts";

/** The program was called wrongly; the message says what was expected. */
export class UsageError extends PlainError {
  override name = "UsageError";
  constructor(message: string, options?: ErrorOptions) {
    super(message, EXIT.usage, options);
  }
}

/** Checks of one command's arguments; `where` is its name, `note` tells what was understood. */
export function checksOf(where: string, note: (text: string) => void) {
  const expected = (what: string, text: string) =>
    new UsageError(`${where}: ${quote(text)}: expected ${what}`);

  function address(text: string): Address {
    const parsed = parseNetwork(text);
    if (parsed === undefined) {
      throw expected("an IPv4 or IPv6 address or network such as 198.51.100.0/24", text);
    }
    const base = isNetwork(parsed) ? parseAddress(text.split("/")[0] ?? "") : undefined;
    if (base !== undefined && base !== parsed.split("/")[0]) {
      note(`${where}: ${text} is taken as its network, ${parsed}`);
    }
    return parsed;
  }

  return {
    address,

    /** An address that a ban may have. */
    bannable(text: string): Address {
      const parsed = address(text);
      const family = familyOf(parsed);
      const widest = WIDEST_BAN[family];
      if (prefixOf(parsed) >= widest) return parsed;
      const narrower = `expected an IPv${family} network of /${widest} or narrower`;
      throw new UsageError(`${where}: ${quote(text)}: is too wide, ${narrower}`);
    },

    jail(text: string): string {
      if (JAIL_NAME.test(text)) return text;
      throw expected("the name of a jail, at most 16 of A-Z a-z 0-9 - _", text);
    },

    /** A host's name as it stands in its messages: mx1.example.org is mx1-example-org. */
    host(text: string): string {
      const token = hostToken(text);
      if (NAME.test(token)) return token;
      throw expected("the name of a host", text);
    },

    /** The name of somebody who has credentials; a host's, as it names itself. */
    identity(text: string): string {
      const token = hostToken(text);
      if (!NAME.test(token)) throw expected("a name of letters, digits, - and _", text);
      if (token !== text) note(`${where}: ${quote(text)} is called ${token}, one word for NATS`);
      return token;
    },

    /** Seconds; Infinity: for ever (commander takes null for a value that is missing). */
    seconds(text: string): number {
      const seconds = parseDuration(text);
      // By hand another negative number is a slip; configuration takes fail2ban's.
      if (seconds === null && text.trim() === "-1") return Infinity;
      if (isCredible(seconds)) return seconds;
      throw expected('a duration such as "20m" or 1200, at most 100y, or -1 for ever', text);
    },

    /** Seconds, also none at all. */
    immunity(text: string): number {
      const seconds = text.trim() === "0" ? 0 : parseDuration(text);
      if (seconds === 0 || isCredible(seconds)) return seconds;
      throw expected('a duration such as "20m" or 0, at most 100y', text);
    },

    /** Milliseconds. */
    wait(text: string): number {
      const milliseconds = Math.round((parseDuration(text) ?? Number.NaN) * 1000);
      if (milliseconds >= 1 && milliseconds <= 60_000) return milliseconds;
      const isAddress = parseNetwork(text) !== undefined;
      const hint = isAddress ? "; put --wait behind the address, or write --wait=10s" : "";
      throw expected(`a duration of at most 60s${hint}`, text);
    },

    /** An instant, from a duration before now or from ISO 8601. */
    instant(text: string): number {
      const at = parseInstant(text);
      if (at !== undefined) return at;
      const seconds = parseDuration(text);
      if (isCredible(seconds)) return Date.now() - Math.round(seconds * 1000);
      throw expected('a duration such as "1h" or an instant such as 2026-11-24T12:00', text);
    },

    limit(text: string): number {
      const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      if (limit >= 1) return limit;
      throw expected("a number of at least 1", text);
    },

    /** Free text that is stored with what it explains. */
    text(text: string): string {
      if (text.length <= 256) return text;
      throw expected(`at most 256 characters, got ${text.length}`, `${text.slice(0, 20)}…`);
    },
  };
}

/** Longer ones would end in years that ISO 8601 spells in another way. */
const LONGEST = 100 * 31_557_600;

function isCredible(seconds: number | null | undefined): seconds is number {
  return typeof seconds === "number" && seconds <= LONGEST;
}
