/**
 * The fields of requests to a coordinator, and the sentence that says what each of them must be.
 *
 * The CLI checks its arguments with these schemas. The coordinator checks every request with the
 * same schemas before it changes anything, so another client is refused what the CLI refuses.
 */
import * as z from "zod";
import { familyOf, parseNetwork, prefixOf, type Address } from "./address.ts";
import { POLICY_VERSION } from "./ban.ts";
import { isCanonical, storable } from "./codec.ts";
import { INSTANT, spellInstant } from "./instants.ts";
import { MAX_OPTION_LENGTH } from "./settings.ts";
import { JAIL_NAME, JAIL_OPTION, NAME, SINK_NAME } from "./subjects.ts";

/** Networks wider than this are never banned. */
const WIDEST_BAN = { 4: 8, 6: 32 } as const;
const LONGEST_TEXT = 256;
/** A longer duration would end in a year that ISO 8601 spells in another way. */
const LONGEST_SECONDS = 100 * 31_557_600;
/** PostgreSQL has no year 0. */
const FIRST_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");

/** The most rows that one reply holds. */
export const MAX_ROWS = 1000;

const EXPECTED_ADDRESS = "expected an IPv4 or IPv6 address or network such as 198.51.100.0/24";
export const EVERYBODY = "is everybody, nobody would be banned any more";
export const UNTIL_BEFORE_SINCE = "--until is before --since; 1h is an hour ago in both";

/** An address or network in its one spelling. */
export const addressField = z.custom<Address>(isCanonical, {
  error: ({ input }) => {
    const canonical = typeof input === "string" ? parseNetwork(input) : undefined;
    return canonical === undefined
      ? EXPECTED_ADDRESS
      : `expected its canonical spelling, ${canonical}`;
  },
});

/** An address or network that a ban may have. */
export const bannableField = addressField.superRefine((address, context) => {
  const family = familyOf(address);
  const widest = WIDEST_BAN[family];
  if (prefixOf(address) >= widest) return;
  const message = `is too wide, expected an IPv${family} network of /${widest} or narrower`;
  context.addIssue({ code: "custom", message });
});

/** An address or network that may be on the allowlist. */
export const allowableField = addressField.refine((address) => prefixOf(address) > 0, EVERYBODY);

export const jailField = z.custom<string>(
  (value) => typeof value === "string" && JAIL_NAME.test(value),
  "expected the name of a jail, at most 16 of A-Z a-z 0-9 - _",
);

export const hostField = z.custom<string>(
  (value) => typeof value === "string" && NAME.test(value),
  "expected the name of a host",
);

export const jailOptionField = z.custom<string>(
  (value) => typeof value === "string" && JAIL_OPTION.test(value),
  "expected an option of a jail as coordinator.yaml has it, such as maxretry or bantime.increment",
);

/** The value of an option, as coordinator.yaml would have it. */
export const optionValueField = z
  .custom<string>((value) => typeof value === "string" && value.length <= MAX_OPTION_LENGTH, {
    error: ({ input }) =>
      typeof input === "string"
        ? `expected at most ${MAX_OPTION_LENGTH} characters, got ${input.length}`
        : "expected a text",
  })
  .overwrite(storable);

export const policyVersionField = z.custom<string>(
  (value) => typeof value === "string" && POLICY_VERSION.test(value),
  "expected the version of a policy such as 3f2a9c1d, see fleetban ban why and fleetban jail list",
);

export const sinkField = z.custom<string>(
  (value) => typeof value === "string" && SINK_NAME.test(value),
  "expected the name of a sink, see fleetban notify list",
);

/** Seconds, a whole number, for PostgreSQL and NATS keep instants in milliseconds. */
export const secondsField = z.custom<number>(
  (value) => isWhole(value, 1, LONGEST_SECONDS),
  'expected a duration such as "20m" or 1200, in whole seconds and at most 100y',
);

/** Seconds in which failures do not count; 0: they count at once. */
export const immunityField = z.custom<number>(
  (value) => isWhole(value, 0, LONGEST_SECONDS),
  'expected a duration such as "20m" or 0, in whole seconds and at most 100y',
);

/** Milliseconds. */
export const waitField = z.custom<number>(
  (value) => isWhole(value, 1, 60_000),
  "expected a duration of at most 60s",
);

/** An instant as the wire spells it, as epoch milliseconds in code. */
export const instantField = z.codec(
  z.custom<string>(
    (value) =>
      typeof value === "string" && INSTANT.test(value) && Date.parse(value) >= FIRST_INSTANT,
    'expected a duration such as "1h" or an instant such as 2026-11-24T12:00',
  ),
  z.number(),
  { decode: (text) => Date.parse(text), encode: (at) => spellInstant(at) },
);

/** Free text that is stored with what it explains, or searched for. */
export const textField = z
  .custom<string>((value) => typeof value === "string" && value.length <= LONGEST_TEXT, {
    error: ({ input }) =>
      typeof input === "string"
        ? `expected at most ${LONGEST_TEXT} characters, got ${input.length}`
        : "expected a text",
  })
  .overwrite(storable);

/** As the wire has it: no failure stands for more attempts. */
export const attemptsField = z.custom<number>(
  (value) => isWhole(value, 1, 1000),
  "expected a whole number from 1 to 1000",
);

/** Days of the record that are looked at. */
export const daysField = z.custom<number>(
  (value) => isWhole(value, 1, 90),
  "expected a whole number from 1 to 90",
);

/** As a jail has it. */
export const maxretryField = z.custom<number>(
  (value) => isWhole(value, 1, 100),
  "expected a whole number from 1 to 100",
);

export const flagField = z.boolean("expected true or false");

/** A revision of a bucket, from an earlier reply. */
export const revisionField = z.custom<number>(
  (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER),
  'expected the "revision" of the reply before',
);

/** How many rows of a list are wanted; a reply may have fewer, for its bytes are bounded. */
export const limitField = z.custom<number>(
  (value) => isWhole(value, 1, MAX_ROWS),
  `expected a whole number from 1 to ${MAX_ROWS}`,
);

/** Of what says where a list goes on, in characters. */
export const LONGEST_CURSOR = 512;

/** The `next` of the reply before, null for the beginning; `spelling` is how this list spells it. */
export function cursorField(spelling: RegExp) {
  return z
    .custom<string>(
      (value) =>
        typeof value === "string" && value.length <= LONGEST_CURSOR && spelling.test(value),
      'expected null, or the "next" of the reply before',
    )
    .nullable();
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}
