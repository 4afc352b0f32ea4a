/** Durations in a configuration. */
import * as z from "zod";
import { parseDuration } from "./duration.ts";

const EXPECTED = 'expected a duration such as "10m" or 1200';

function durationSchema<T>(accept: (seconds: number | null) => T | undefined, expected: string) {
  const describe = (given: unknown) => `${expected}, got ${JSON.stringify(given)}`;
  return z
    .union([z.string(), z.number()], { error: (issue) => describe(issue.input) })
    .transform((given, context): T => {
      const seconds = parseDuration(String(given));
      const accepted = seconds === undefined ? undefined : accept(seconds);
      if (accepted !== undefined) return accepted;
      context.addIssue({ code: "custom", message: describe(given) });
      return z.NEVER;
    });
}

/** A duration in seconds that ends. */
export const duration = durationSchema((seconds) => seconds ?? undefined, EXPECTED);

/** A duration in seconds, or null for ever. */
export const durationOrForever = durationSchema(
  (seconds) => seconds,
  `${EXPECTED}, or -1 for ever`,
);
