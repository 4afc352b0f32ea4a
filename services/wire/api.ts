/**
 * What the CLI asks and a coordinator answers: one request, one reply, on
 * `fleetban.api.<noun>.<verb>.<who>`. An error is a reply with the headers
 * `Nats-Service-Error-Code` and `Nats-Service-Error`, as NATS's services
 * framework has it.
 *
 * No request says who makes it: the subject does, and credentials allow no other. Requests
 * are strict, so that nothing that NATS stores or answers by itself can pass for one.
 *
 * Lists come in pages: `next` of one reply is `after` of the next request,
 * and null with the last.
 */
import { z } from "zod";
import { ban } from "./ban.ts";
import { address, foreignText, instant } from "./codec.ts";
import { allowed, jail } from "./settings.ts";
import { JAIL_NAME, NAME } from "./subjects.ts";
import { hostStatus } from "./status.ts";
import { warning } from "./warnings.ts";

const jailName = z.string().regex(JAIL_NAME);
const page = { limit: z.number().int().min(1).max(1000), after: z.string().max(256).nullable() };
const next = z.string().max(256).nullable();
/** Why the answer may be old ("PostgreSQL cannot be reached: ..."), null when it is not. */
const stale = z.string().nullable();

/** Seconds; null: for ever. */
const seconds = z.number().positive().nullable();
/** Milliseconds to wait until the change is in force on every live host; null: not at all. */
const wait = z.number().int().min(1).max(60_000).nullable();

/** How far a change has come: hosts that applied it, hosts that were expected to. */
export const reach = z.object({
  /** Per host: milliseconds from the write of the change to its report. */
  applied: z.array(z.object({ host: z.string(), ms: z.number() })),
  /** Live hosts that did not report in time. */
  missing: z.array(z.string()),
  /** Known hosts that were silent before: they apply it when they come back. */
  down: z.array(z.string()),
});
export type Reach = z.infer<typeof reach>;

export const hostRow = z.object({
  host: z.string().regex(NAME),
  state: z.enum(["up", "down"]),
  lastSeenAt: instant,
  /** Its applied revision is the bucket's newest. */
  current: z.boolean(),
  /** Its clock less the coordinator's, milliseconds, as far as the network's delay lets one tell. */
  clockSkew: z.number(),
  /** Offences that it completed and that were over before a ban could be written. */
  missedOffences: z.number().optional(),
  /** Its last own words; null when it was not heard since the coordinator started. */
  status: hostStatus.nullable(),
});
export type HostRow = z.infer<typeof hostRow>;

export const failureRow = z.object({
  at: instant,
  host: z.string(),
  jail: z.string(),
  address,
  attempts: z.number().int(),
  user: z.string().nullable(),
  service: z.string().nullable(),
  session: z.string().nullable(),
  form: z.string(),
});
export type FailureRow = z.infer<typeof failureRow>;

/** Every request the API answers: noun.verb to the shapes of request and reply. */
export const api = {
  "status.show": {
    request: z.strictObject({}),
    reply: z.object({
      version: z.string(),
      /** Which coordinator answered, and which one decides (null: none right now). */
      coordinator: z.string(),
      decider: z.string().nullable(),
      startedAt: instant,
      hosts: z.object({ up: z.number(), down: z.number(), current: z.number() }),
      bans: z.number(),
      allowed: z.number(),
      jails: z.array(jail),
      /** Failures that the decider counted since it started. */
      failures: z.number(),
      undecodable: z.number(),
      /** Offences since its start that were over before a ban could be written. */
      missedOffences: z.number().optional(),
      postgres: z.object({
        reachable: z.boolean(),
        /** Messages not yet recorded; null: not known, for NATS does not tell. */
        lag: z.number().nullable(),
      }),
      warnings: z.array(warning),
    }),
  },
  "host.list": { request: z.strictObject({}), reply: z.object({ hosts: z.array(hostRow), stale }) },
  /** The host is no longer listed, until it reports again. */
  "host.remove": {
    request: z.strictObject({ host: z.string().regex(NAME) }),
    reply: z.object({ host: z.string(), wasUp: z.boolean() }),
  },
  "ban.list": {
    request: z.strictObject({
      jail: jailName.optional(),
      /** Bans that have an address in common with this one. */
      address: address.optional(),
      /** true: also those that have ended, from the history. */
      all: z.boolean(),
      ...page,
    }),
    reply: z.object({ bans: z.array(ban), total: z.number(), next, stale }),
  },
  "ban.show": {
    request: z.strictObject({ jail: jailName.optional(), address }),
    reply: z.object({
      /** The bans as they stand that have an address in common with this one. */
      bans: z.array(ban),
      /** Every change on record, oldest first, at most the last 100. */
      changes: z.array(ban),
      /** The last failures on record, newest first, at most 20. */
      failures: z.array(failureRow),
      /** Entry of the allowlist that covers it. */
      allowed: allowed.nullable(),
      stale,
    }),
  },
  "ban.add": {
    request: z.strictObject({
      address,
      jail: jailName,
      /** undefined: the jail's bantime. */
      seconds: seconds.optional(),
      reason: foreignText,
      /** true: a shorter time replaces a longer one. */
      replace: z.boolean(),
      wait,
    }),
    reply: z.object({ ban, changed: z.boolean(), reach: reach.nullable() }),
  },
  "ban.remove": {
    request: z.strictObject({
      address,
      /** undefined: in every jail. */
      jail: jailName.optional(),
      reason: foreignText,
      /** Seconds in which failures do not count; undefined: the jail's findtime. */
      immunity: z.number().nonnegative().optional(),
      wait,
    }),
    reply: z.object({ bans: z.array(ban), reach: reach.nullable() }),
  },
  "allow.list": { request: z.strictObject({}), reply: z.object({ allowed: z.array(allowed) }) },
  "allow.add": {
    request: z.strictObject({ address, comment: foreignText }),
    /** Bans that had an address in common with it and were lifted. */
    reply: z.object({ allowed, changed: z.boolean(), lifted: z.array(ban) }),
  },
  "allow.remove": {
    request: z.strictObject({ address }),
    reply: z.object({ allowed }),
  },
  "failure.list": {
    request: z.strictObject({
      /** An address or all of a network. */
      address: address.optional(),
      user: foreignText.optional(),
      host: z.string().optional(),
      jail: jailName.optional(),
      since: instant.optional(),
      until: instant.optional(),
      ...page,
    }),
    /** Newest first. */
    reply: z.object({ failures: z.array(failureRow), next, stale }),
  },
} as const;

export type Endpoint = keyof typeof api;
export type Request<E extends Endpoint> = z.infer<(typeof api)[E]["request"]>;
export type Reply<E extends Endpoint> = z.infer<(typeof api)[E]["reply"]>;

/**
 * Codes of an error reply, HTTP's numbers: 400 the request is wrong, 404 there
 * is no such thing, 409 it may not be done (allowlisted, say), 503 a part that is
 * needed is down.
 */
export type ApiErrorCode = 400 | 404 | 409 | 503;
export const ERROR_CODE_HEADER = "Nats-Service-Error-Code";
export const ERROR_HEADER = "Nats-Service-Error";

/** Networks wider than this are never banned. */
export const WIDEST_BAN = { 4: 8, 6: 32 } as const;
