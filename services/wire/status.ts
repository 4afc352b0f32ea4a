/** The status that an agent publishes every 10 s and after every change that it has applied. */
import * as z from "zod";
import { address, decode, foreignText, instant, textOf, toBytes, WireError } from "./codec.ts";
import { drillReport } from "./drill.ts";
import { spellInstant } from "./instants.ts";
import { NAME } from "./subjects.ts";
import { warning, type WarningCode } from "./warnings.ts";

/** An agent is taken to be down when nothing was heard of it for this long. */
export const HOST_SILENT_AFTER_MS = 30_000;
export const STATUS_EVERY_MS = 10_000;
/**
 * An agent judges by the logins of this time whether logins fail for a reason of its host's own
 * (the warning logins-broken). So it knows that only when it has been at work for as long.
 */
export const LOGINS_WATCHED_MS = 300_000;

export const hostStatus = z.object({
  v: z.literal(1),
  host: z.string().regex(NAME),
  /** Changes with every start of the agent. */
  instance: z.uuid(),
  version: textOf(32),
  startedAt: instant,
  /** By the host's own clock. */
  sentAt: instant,
  /** Where bans take effect: "ipset", "nftables", "iptables", "dry-run". */
  firewall: textOf(32),
  /** Revision of the bans bucket up to which everything is in the kernel; 0: nothing yet. */
  revision: z.number().int().nonnegative(),
  /** Creation time of the bucket that `revision` counts in, as NATS spells it. */
  bansCreated: textOf(64).nullable(),
  /** When the kernel had `revision`, by the host's own clock; null: it has none yet. */
  appliedAt: instant.nullish(),
  /** Entries in the kernel's sets, read back. */
  bansInForce: z.number().int().nonnegative(),
  /** The host's own addresses, which it never bans. */
  addresses: z.array(address).max(256),
  sources: z
    .array(
      z.object({
        name: z.string().regex(NAME),
        jail: textOf(16),
        /** "reading", "waiting" (the file is not there yet), "failed". */
        state: z.enum(["reading", "waiting", "failed"]),
        lines: z.number().int().nonnegative(),
        failures: z.number().int().nonnegative(),
        /** Bytes that are written and not yet published. */
        lag: z.number().int().nonnegative(),
        lastLineAt: instant.nullable(),
        /** Milliseconds that are added to stamps without a zone, for they are of another one. */
        shift: z.number().int().optional(),
        /** Lines since the start that look like an attempt and are not understood. */
        unrecognized: z.number().int().nonnegative().optional(),
      }),
    )
    .max(64),
  /** Bans it would not apply, and why: its own address, its ignoreip. At most the last 20. */
  refused: z.array(z.object({ address, reason: foreignText })).max(20),
  /** How often the firewall had to be repaired since the start. */
  repairs: z.number().int().nonnegative(),
  warnings: z.array(warning).max(20),
  /** How far a drill has come that this host does now. */
  drill: drillReport.optional(),
});
export type HostStatus = z.infer<typeof hostStatus>;

const NOT_EFFECTIVE: WarningCode = "firewall-not-effective";

/** Whether bans in this host's kernel drop packets, as far as the host can tell. */
export function isEffective({ firewall, warnings }: Pick<HostStatus, "firewall" | "warnings">) {
  return firewall !== "dry-run" && !warnings.some(({ code }) => code === NOT_EFFECTIVE);
}

export function encodeHostStatus(value: HostStatus): Uint8Array {
  return toBytes({
    ...value,
    startedAt: spellInstant(value.startedAt),
    sentAt: spellInstant(value.sentAt),
    appliedAt: spellInstant(value.appliedAt ?? null),
    drill: value.drill && z.encode(drillReport, value.drill),
    sources: value.sources.map((source) => {
      return { ...source, lastLineAt: spellInstant(source.lastLineAt) };
    }),
  });
}

/** Throws a WireError, also when the status names another host than `subject`. */
export function decodeHostStatus(bytes: Uint8Array, subject: string): HostStatus {
  const status = decode(hostStatus, bytes, subject);
  if (subject.split(".")[2] !== status.host) {
    throw new WireError(`${subject}: names host ${status.host}`);
  }
  return status;
}
