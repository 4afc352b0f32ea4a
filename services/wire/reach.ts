/** Where a change or a ban is in force, as the live hosts report it. */
import * as z from "zod";
import { address, foreignText, instant } from "./codec.ts";
import { NAME } from "./subjects.ts";

/** Beside a count, a reply holds at most this many of what is counted. */
export const FIRST = 100;

const host = z.string().regex(NAME);
const hosts = z.array(host).max(FIRST);
const count = z.number().int().nonnegative();

/** How many hosts: each of the lists beside it holds the first of them. */
const counts = z.object({
  /** Hosts from which a report is expected. */
  live: count,
  inForce: count,
  missing: count,
  dryRun: count,
  ineffective: count,
  refused: count,
});

/** Live hosts on which a change is in force, and live hosts on which it is not, with the reason. */
const confirmed = z.object({
  /** Hosts that report the ban from their kernel. */
  inForce: hosts,
  /** Hosts that have not reported the newest bans. */
  missing: hosts,
  /** Hosts that only log bans. */
  dryRun: hosts,
  /** Hosts that say that packets of banned addresses may get through. */
  ineffective: hosts,
  /** Hosts that do not apply the ban. */
  refused: z.array(z.object({ host, address, reason: foreignText })).max(FIRST),
  counts,
});

/** Where a ban is in force now. */
export const standing = confirmed.extend({
  /** Known hosts that do not report, and when they were heard last; they are not among the live. */
  silent: z
    .array(
      z.object({
        host,
        lastSeenAt: instant,
        /** The host had reported the ban before it fell silent. */
        hadBan: z.boolean(),
      }),
    )
    .max(FIRST)
    .optional(),
  counts: counts.extend({ silent: count.optional() }),
});
export type Standing = z.infer<typeof standing>;
export type Confirmed = z.infer<typeof confirmed>;
export type SilentHost = NonNullable<Standing["silent"]>[number];

/** How far a change has come. */
export const reach = confirmed.extend({
  /** The hosts that took the longest: milliseconds from the write of the change to their report. */
  applied: z.array(z.object({ host, ms: z.number() })).max(FIRST),
  /** Known hosts that were silent before: they apply it when they come back. */
  down: hosts,
  counts: counts.extend({ applied: count, down: count }),
  /** Milliseconds until the last of the hosts in force has reported; null: none is. */
  slowestMs: z.number().nullable(),
});
export type Reach = z.infer<typeof reach>;
