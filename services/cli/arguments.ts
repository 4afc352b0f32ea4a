/** Checks the arguments of the command line, before any request is sent. */
import type * as z from "zod";
import { EXIT, PlainError } from "../process/exit.ts";
import { parseDuration } from "../config/duration.ts";
import { isNetwork, parseAddress, parseNetwork, type Address } from "../wire/address.ts";
import { spellInstant } from "../wire/instants.ts";
import {
  addressField,
  attemptsField,
  allowableField,
  bannableField,
  hostField,
  immunityField,
  instantField,
  jailField,
  policyVersionField,
  secondsField,
  sinkField,
  textField,
  UNTIL_BEFORE_SINCE,
  waitField,
} from "../wire/request-fields.ts";
import { hostToken, NAME } from "../wire/subjects.ts";
import { parseInstant } from "./time.ts";
import { quote } from "./visible.ts";

/** The program was called wrongly; the message says what was expected. */
export class UsageError extends PlainError {
  override name = "UsageError";
  constructor(message: string, options?: ErrorOptions) {
    super(message, EXIT.usage, options);
  }
}

/** Throws if the period of a command ends before it begins; instants in epoch milliseconds. */
export function checkPeriod(
  where: string,
  period: { since?: number | undefined; until?: number | undefined },
): void {
  const { since = -Infinity, until = Infinity } = period;
  if (since > until) throw new UsageError(`${where}: ${UNTIL_BEFORE_SINCE}`);
}

/** Checks of one command's arguments; `where` is its name, `note` tells what was understood. */
export function checksOf(where: string, note: (text: string) => void) {
  const checking = checkingOf(where);
  return {
    ...addressChecks(checking, (text) => note(`${where}: ${text}`)),
    ...nameChecks(checking, (text) => note(`${where}: ${text}`)),
    ...timeChecks(checking),
    ...otherChecks(checking),
  };
}

type Checking = ReturnType<typeof checkingOf>;

function checkingOf(where: string) {
  const wrong = (text: string, sentence: string) =>
    new UsageError(`${where}: ${quote(text)}: ${sentence}`);
  return {
    wrong,
    /** Returns a value that the coordinator accepts for this field, or throws in the coordinator's words. */
    checked<T>(field: z.ZodType<T>, value: unknown, text: string, hint = ""): T {
      const result = field.safeParse(value);
      if (result.success) return result.data;
      throw wrong(text, `${result.error.issues[0]?.message ?? "is not understood"}${hint}`);
    },
  };
}

function addressChecks({ checked, wrong }: Checking, note: (text: string) => void) {
  function address(text: string): Address {
    const parsed = checked(addressField, parseNetwork(text), text);
    const base = isNetwork(parsed) ? parseAddress(text.split("/")[0] ?? "") : undefined;
    if (base !== undefined && base !== parsed.split("/")[0]) {
      note(`${text} is taken as its network, ${parsed}`);
    }
    return parsed;
  }

  return {
    address,

    /** An address that a ban may have. */
    bannable: (text: string): Address => checked(bannableField, address(text), text),

    /** An address that may be on the allowlist. */
    allowable: (text: string): Address => checked(allowableField, address(text), text),

    /** One address, and no network. */
    single(text: string): Address {
      const parsed = address(text);
      if (isNetwork(parsed)) throw wrong(text, "expected one address, and no network");
      return parsed;
    },
  };
}

function nameChecks({ checked, wrong }: Checking, note: (text: string) => void) {
  return {
    jail: (text: string): string => checked(jailField, text, text),

    /** A host's name as it stands in its messages: mx1.example.org is mx1-example-org. */
    host: (text: string): string => checked(hostField, hostToken(text), text),

    policyVersion: (text: string): string => checked(policyVersionField, text, text),

    sink: (text: string): string => checked(sinkField, text, text),

    /** The name of somebody who has credentials; a host's, as it names itself. */
    identity(text: string): string {
      const token = hostToken(text);
      if (!NAME.test(token)) throw wrong(text, "expected a name of letters, digits, - and _");
      if (token !== text) note(`${quote(text)} is called ${token}, one word for NATS`);
      return token;
    },
  };
}

function timeChecks({ checked }: Checking) {
  return {
    /** Seconds; Infinity: for ever (commander takes null for a value that is missing). */
    seconds(text: string): number {
      // Not every negative number, as fail2ban takes it: a slip of the hand must not ban for ever.
      if (text.trim() === "-1") return Infinity;
      return checked(secondsField, parseDuration(text), text, ", or -1 for ever");
    },

    /** Seconds of something that cannot last for ever. */
    length: (text: string): number => checked(secondsField, parseDuration(text), text),

    /** Seconds, also none at all. */
    immunity(text: string): number {
      return checked(immunityField, text.trim() === "0" ? 0 : parseDuration(text), text);
    },

    /** Milliseconds. */
    wait(text: string): number {
      const milliseconds = Math.round((parseDuration(text) ?? Number.NaN) * 1000);
      const isAddress = parseNetwork(text) !== undefined;
      const hint = isAddress ? "; put --wait behind the address, or write --wait=10s" : "";
      return checked(waitField, milliseconds, text, hint);
    },

    /** An instant, from a duration before now or from ISO 8601. */
    instant(text: string): number {
      const at = parseInstant(text) ?? beforeNow(parseDuration(text));
      return checked(instantField, at === undefined ? undefined : spellInstant(at), text);
    },
  };
}

function otherChecks({ checked, wrong }: Checking) {
  return {
    limit(text: string): number {
      const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      if (limit >= 1) return limit;
      throw wrong(text, "expected a number of at least 1");
    },

    /** Failed attempts, as many as one failure may stand for. */
    attempts: (text: string): number =>
      checked(attemptsField, /^\d{1,9}$/.test(text) ? Number(text) : undefined, text),

    /** Free text that is stored with the ban or entry that it explains. */
    text(text: string): string {
      return checked(textField, text, text.length <= 256 ? text : `${text.slice(0, 20)}…`);
    },
  };
}

/** undefined: `seconds` is no duration, or one that ends before any calendar. */
function beforeNow(seconds: number | null | undefined): number | undefined {
  if (typeof seconds !== "number") return undefined;
  const at = Date.now() - Math.round(seconds * 1000);
  return Number.isNaN(new Date(at).getTime()) ? undefined : at;
}
