/** The way of a ban from the log's line to the hosts' kernels, as `ban why --trace` shows it. */
import * as z from "zod";
import { address, foreignText, instant } from "./codec.ts";
import { FIRST } from "./reach.ts";
import { JAIL_NAME, NAME } from "./subjects.ts";

const ms = z.number().int();

export const trace = z.object({
  jail: z.string().regex(JAIL_NAME),
  address,
  /**
   * In their order, those whose times are known. logged: the last line was written, by its own
   * stamp. read: the host has read it and published the failure. stored: NATS has the failure.
   * decided: the coordinator has decided. written: NATS has the ban. Instants are by the clock of
   * the coordinator that answers; `ms` is the time since the step before, null for the first.
   */
  steps: z.array(
    z.object({
      step: z.enum(["logged", "read", "stored", "decided", "written"]),
      /** "mx1", "NATS", "coordinator". */
      where: foreignText,
      at: instant,
      ms: ms.nullable(),
    }),
  ),
  /** The hosts that the ban is for and that are up, the slowest first; `ms` is since `written`. */
  applied: z
    .array(
      z.object({
        host: z.string().regex(NAME),
        /**
         * applied: in the host's kernel then, or only logged (dry run). at-the-latest: its report
         * stands for several changes. before: it had the ban when this coordinator began to listen.
         */
        state: z.enum(["applied", "at-the-latest", "before", "not-yet"]),
        at: instant.nullable(),
        ms: ms.nullable(),
      }),
    )
    .max(FIRST),
  appliedCount: z.number().int().nonnegative(),
  /** Of the steps and hosts the one that took longest; null: the way is not known. */
  slowest: z.object({ step: z.string(), where: foreignText, ms }).nullable(),
  /** Clocks that differ from the coordinator's by a second or more, which is corrected. */
  clocks: z.array(z.object({ where: foreignText, aheadMs: ms })).max(FIRST),
  /** What is not known, in sentences. */
  notes: z.array(foreignText),
});
export type Trace = z.infer<typeof trace>;
