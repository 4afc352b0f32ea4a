/**
 * Requests of the CLI and replies of a coordinator: one request, one reply, on
 * `fleetban.api.<noun>.<verb>.<who>`. An error is a reply with the headers
 * `Nats-Service-Error-Code` and `Nats-Service-Error`, as NATS's services
 * framework has it.
 *
 * A request does not name its sender: the subject does, and credentials allow no other name.
 * Requests are strict, so that no message that NATS stores or sends by itself passes for a request.
 *
 * Every reply fits into one message of NATS, however large the fleet is. A list comes in pages:
 * `next` of one reply is `after` of the next request, and null with the last page. Everything else
 * that may be long holds its first entries, at most `FIRST` of them, beside how many there are.
 */
import * as z from "zod";
import { ban, POLICY_VERSION } from "./ban.ts";
import { banFilter, liftManyRequest, manyBansReply, manyBansRequest } from "./ban-selection.ts";
import { address, hostAddress, instant } from "./codec.ts";
import {
  allowImportReply,
  allowImportRequest,
  banImportReply,
  banImportRequest,
  banRestoreReply,
  banRestoreRequest,
} from "./list-import.ts";
import { lazily } from "./lazily.ts";
import { FIRST, reach, standing } from "./reach.ts";
import {
  addressField,
  allowableField,
  attemptsField,
  bannableField,
  cursorField,
  daysField,
  flagField,
  hostField,
  immunityField,
  instantField,
  jailField,
  jailOptionField,
  limitField,
  LONGEST_CURSOR,
  maxretryField,
  optionValueField,
  secondsField,
  sinkField,
  textField,
  UNTIL_BEFORE_SINCE,
  waitField,
} from "./request-fields.ts";
import { allowed, jail, jailSetting, ownAddress, quarantine } from "./settings.ts";
import { JAIL_NAME, NAME } from "./subjects.ts";
import { hostStatus } from "./status.ts";
import { trace } from "./trace.ts";
import { warning } from "./warnings.ts";

/** Where a list of bans goes on: a place in the record, or a key of the bans bucket. */
export const BAN_CURSOR =
  /^(?:-?\d{1,15}\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w-]{1,16}\.[\w/-]{1,64})$/;
/** Where the list of failures goes on: a row's time and number in PostgreSQL. */
const FAILURE_CURSOR = /^-?\d{1,15}\/\d{1,18}$/;
/** Where the audit goes on: the time of a row, and the change or the setting that was changed. */
const AUDIT_CURSOR = /^-?\d{1,15}\/[\w.=/-]{1,200}$/;
/** Where the allowlist goes on: when an entry was added, its address, and its jail if it has one. */
const ALLOWED_CURSOR = /^\d{1,15}\/[0-9a-f.:/]{1,49}(?: [\w-]{1,16})?$/;

/** Where the list of metrics goes on: a metric's name, and its labels behind it. */
const METRIC_CURSOR = /^[\w:]{1,100}(?: [^]+)?$/;

const next = z.string().max(LONGEST_CURSOR).nullable();
/** Why the answer may be old ("PostgreSQL cannot be reached: ..."), null when it is not. */
const stale = z.string().nullable();
const count = z.number().int().nonnegative();
/** Of the policy in use: the same where two coordinators decide by the same jails. */
const policyVersion = z.string().regex(POLICY_VERSION);

/** Milliseconds to wait until the change is in force on every live host; null: not at all. */
const wait = waitField.nullable();

export const hostRow = z.object({
  host: z.string().regex(NAME),
  state: z.enum(["up", "down"]),
  lastSeenAt: instant,
  /** It is up, and its applied revision is the bucket's newest. */
  current: z.boolean(),
  /** Its clock less the coordinator's, milliseconds, as far as the network's delay lets one tell. */
  clockSkew: z.number(),
  /** Offences that it completed and that were over before a ban could be written. */
  missedOffences: z.number().optional(),
  /** Its failures do not count; undefined: they do. */
  quarantine: quarantine.optional(),
  /** Its last status; null if the coordinator has not heard the host since it started. */
  status: hostStatus.nullable(),
  /** The coordinator has just started, and cannot know yet whether the host is up. */
  awaited: z.boolean().optional(),
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

/** What `failure top` ranks. */
export const TOP_KINDS = [
  ...(["address", "network", "user", "domain", "host", "asn", "country"] as const),
] as const;
export type TopKind = (typeof TOP_KINDS)[number];

export const topRow = z.object({
  /** An address, "AS64496", a user and so on. */
  name: z.string(),
  attempts: count,
  /** Where an address is, or who has a network: "DE, AS64496 Example Ltd"; null: not known. */
  about: z.string().nullable(),
});
export type TopRow = z.infer<typeof topRow>;

/** An address that has failed at an account. */
export const accountAddress = z.object({
  address,
  attempts: count,
  firstAt: instant,
  lastAt: instant,
  /** Where it is: "DE, AS64496 Example Ltd"; null: not known. */
  about: z.string().nullable(),
  /** A ban of it, or of a network around it, is in force. */
  isBanned: z.boolean(),
  /**
   * When somebody has last logged in from it, as any user; null: that is not known. The record of
   * logins names no users.
   */
  lastLoginAt: instant.nullable(),
});
export type AccountAddress = z.infer<typeof accountAddress>;

/** What the operator's databases say of an address; each field is null where they do not know it. */
export const whereabouts = z.object({
  /** Two letters, as ISO 3166 has them: "DE". */
  country: z.string().nullable(),
  /** Number of the autonomous system. */
  asn: count.nullable(),
  organization: z.string().nullable(),
});
export type Whereabouts = z.infer<typeof whereabouts>;

/** What a policy would have done to failures on record. */
export const simulatedOutcome = z.object({
  bans: count,
  /** Addresses or networks that were banned at least once. */
  addresses: count,
  /** Attempts that would have met a ban. */
  prevented: count,
  /** Of the addresses: those from which somebody has logged in lately; null: that is not known. */
  knownGood: count.nullable(),
});
export type SimulatedOutcome = z.infer<typeof simulatedOutcome>;

export const auditRow = z.object({
  at: instant,
  /** "operator alice", "decider", "config". */
  by: z.string(),
  /** "ban", "ban lifted", "allow add", "host quarantine". */
  action: z.string(),
  /** The object of the action, and the reason. */
  detail: z.string(),
});
export type AuditRow = z.infer<typeof auditRow>;

/** A jail of the policy in use. */
export const jailRow = z.object({
  /** How many decoys it has, which are not shown. */
  decoyCount: count.optional(),
  /** Options that operators have set in place of what the file says. */
  settings: z
    .array(
      z.object({
        setting: jailSetting,
        /** What the file of the coordinator that answers says, for people. */
        inFile: z.string(),
        /** Why it changes nothing there: the file's check. undefined: it is applied. */
        fault: z.string().optional(),
      }),
    )
    .optional(),
  /** It bans nobody new until then; undefined: it is not paused. */
  pause: z
    .object({ since: instant, until: instant.nullable(), by: z.string(), reason: z.string() })
    .optional(),
  /** Without its filter and its decoys, which may be long. */
  jail,
  /** What it does: its count, then each of its options. */
  sentences: z.array(z.string()),
});
export type JailRow = z.infer<typeof jailRow>;

/** What was set of a jail has changed. */
const jailChanged = z.object({
  /** As it is now, if the coordinator that answered has it; it may decide by that in a moment. */
  row: jailRow.optional(),
  /** Which coordinator answered, and which one decides (null: none right now). */
  coordinator: z.string(),
  decider: z.string().nullable(),
  policyVersion,
  /** false: the old policy decides until all failures are counted by the new one. */
  isInUse: z.boolean(),
});

/** Where notifications go. */
export const sinkRow = z.object({
  name: z.string(),
  type: z.string(),
  /** For people; nothing secret is in it. */
  where: z.string(),
  events: z.array(z.string()),
  /** "new": nothing was sent or tried yet, as far as is known. */
  state: z.enum(["ok", "failing", "off", "new"]),
  /** Why it fails, or is off; null: it does not. */
  reason: z.string().nullable(),
  /** When it is tried again; null: nothing has failed. */
  retryAt: instant.nullable(),
  /** When something was sent last; null: never. */
  sentAt: instant.nullable(),
  /** Events that were sent, and that were given up. */
  sent: count,
  lost: count,
});
export type SinkRow = z.infer<typeof sinkRow>;

const metricName = z.object({
  name: z.string(),
  help: z.string(),
  labels: z.record(z.string(), z.string()),
});

/** One series of a coordinator's metrics; null: not known, or infinite. */
export const metricRow = z.discriminatedUnion("type", [
  metricName.extend({ type: z.enum(["counter", "gauge"]), value: z.number().nullable() }),
  metricName.extend({
    type: z.literal("histogram"),
    count,
    sum: z.number(),
    /** `count` of what is at most `le`; the last bucket has no end: null. */
    buckets: z.array(z.object({ le: z.number().nullable(), count })),
  }),
]);
export type MetricRow = z.infer<typeof metricRow>;

const DRILL_STEPS = ["attempted", "read", "counted", "decided", "in force", "lifted"] as const;

/** What a drill has come to, in this order. */
export const drillStep = z.object({
  step: z.enum(DRILL_STEPS),
  /** Milliseconds since the drill was asked for; null: it was not reached. */
  ms: z.number().nullable(),
  text: z.string(),
});
export type DrillStep = z.infer<typeof drillStep>;

/** A failure as it is counted. */
export const watchedFailure = failureRow.omit({ session: true, form: true });
export type WatchedFailure = z.infer<typeof watchedFailure>;

export const watchedHost = z.object({
  host: z.string(),
  isUp: z.boolean(),
  heardMsAgo: z.number(),
  /** Bytes of its logs that are not published yet. */
  lagBytes: count,
  /** Changes of bans that it has not applied yet. */
  behind: count,
});
export type WatchedHost = z.infer<typeof watchedHost>;

/** How far somebody who watches has come: a sequence of the failures, a revision of the bans. */
const EXPECTED_PLACES = 'expected the "places" of the reply before';
const watchPlace = z.custom<number>(
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  EXPECTED_PLACES,
);
const watchPlaces = z.strictObject(
  { failures: watchPlace, bans: watchPlace },
  { error: ({ code }) => (code === "invalid_type" ? EXPECTED_PLACES : undefined) },
);

const EXPECTED_PROOF = "expected the proof of identity that fleetban web sends";
const identityProof = z.strictObject(
  {
    jwt: z.string(EXPECTED_PROOF).max(4096, EXPECTED_PROOF),
    at: instantField,
    signature: z.string(EXPECTED_PROOF).max(128, EXPECTED_PROOF),
  },
  { error: ({ code }) => (code === "invalid_type" ? EXPECTED_PROOF : undefined) },
);

/** Which failures on record are meant. */
const failureFilter = {
  /** An address or all of a network. */
  address: addressField.optional(),
  user: textField.optional(),
  /** Of users of this mail domain, in any case. */
  domain: textField.optional(),
  host: hostField.optional(),
  jail: jailField.optional(),
};

/** The most steps of a series. */
export const MAX_STEPS = 400;

/** Every request the API answers: noun.verb to the shapes of request and reply. */
export const api = lazily({
  /** Does a coordinator answer? */
  "ping.show": () => ({
    request: z.strictObject({}),
    reply: z.object({
      /** Which coordinator answered, and which one decides (null: none right now). */
      coordinator: z.string(),
      decider: z.string().nullable(),
      version: z.string(),
      /** By the coordinator's clock. */
      at: instant,
    }),
  }),
  "status.show": () => ({
    request: z.strictObject({}),
    reply: z.object({
      version: z.string(),
      /** Which coordinator answered, and which one decides (null: none right now). */
      coordinator: z.string(),
      decider: z.string().nullable(),
      startedAt: instant,
      hosts: z.object({
        up: z.number(),
        down: z.number(),
        current: z.number(),
        /** Hosts of which the coordinator, which has just started, has not heard yet. */
        awaited: count.optional(),
      }),
      bans: z.number(),
      /** Bans that a guard has held: in force nowhere until somebody releases them. */
      heldBans: count.optional(),
      allowed: z.number(),
      jails: z.array(jail),
      /** Failures that the decider counted since it started. */
      failures: z.number(),
      undecodable: z.number(),
      /** Offences since its start that were over before a ban could be written. */
      missedOffences: z.number().optional(),
      /** Offences since its start that brought no ban: of the allowlist, of the fleet's machines. */
      sparedOffences: z.object({ allowlist: count, machines: count }).optional(),
      postgres: z.object({
        reachable: z.boolean(),
        /** Messages not yet recorded; null: not known, for NATS does not tell. */
        lag: z.number().nullable(),
      }),
      /** The first warnings, the gravest first. */
      warnings: z.array(warning),
      /** How many warnings there are. */
      warningCounts: z.object({ high: count, medium: count, low: count }),
      jailCount: count,
    }),
  }),
  "host.list": () => ({
    request: z.strictObject({
      /** Without: as many as one message holds. */
      limit: limitField.optional(),
      after: cursorField(NAME).optional(),
    }),
    reply: z.object({ hosts: z.array(hostRow), total: count, next, stale }),
  }),
  "host.show": () => ({
    request: z.strictObject({ host: hostField }),
    /** `version`: that of the coordinator that answers. */
    reply: z.object({ host: hostRow, version: z.string(), stale }),
  }),
  /** The host is no longer listed, until it reports again. */
  "host.remove": () => ({
    request: z.strictObject({ host: hostField }),
    reply: z.object({ host: z.string(), wasUp: z.boolean() }),
  }),
  /** What the host reports does not count, until that is undone. */
  "host.quarantine": () => ({
    request: z.strictObject({ host: hostField, undo: flagField, reason: textField }),
    reply: z.object({
      host: z.string(),
      quarantine,
      changed: z.boolean(),
      /** Bans that no other host has seen a failure for. */
      alone: z.object({ inForce: count, held: count }),
    }),
  }),
  /** One failed login of a user that nobody has, through everything from this host's log on. */
  "host.drill": () => ({
    request: z.strictObject({
      host: hostField,
      /** undefined: that of the host's first source. */
      jail: jailField.optional(),
      /** Of the whole drill. */
      wait: waitField,
    }),
    reply: z.object({
      host: z.string(),
      jail: z.string(),
      user: z.string(),
      address,
      steps: z.array(drillStep),
      /** Why the steps end before all hosts have the ban; null: they do not. */
      reason: z.string().nullable(),
    }),
  }),
  "jail.list": () => ({
    request: z.strictObject({
      /** Without: as many as one message holds. */
      limit: limitField.optional(),
      after: cursorField(JAIL_NAME).optional(),
    }),
    /** `coordinator`: which one answered, because every coordinator has its own file. */
    reply: z.object({
      jails: z.array(jailRow),
      total: count,
      next,
      coordinator: z.string(),
      policyVersion: policyVersion.optional(),
      /** Seconds that earlier bans of an address count. */
      dbpurgeage: z.number().optional(),
    }),
  }),
  "jail.show": () => ({
    request: z.strictObject({ jail: jailField }),
    reply: jailRow.extend({
      bans: z.object({ inForce: count, held: count }),
      coordinator: z.string(),
      policyVersion: policyVersion.optional(),
    }),
  }),
  /** Sets an option in place of what the file says. */
  "jail.set": () => ({
    request: z.strictObject({
      jail: jailField,
      option: jailOptionField,
      value: optionValueField,
      /** The setting ends after this time; undefined: never by itself. */
      seconds: secondsField.optional(),
    }),
    reply: jailChanged.extend({ setting: jailSetting }),
  }),
  /** Takes back what was set of an option, or of all of them. */
  "jail.unset": () => ({
    request: z.strictObject({ jail: jailField, option: jailOptionField.optional() }),
    reply: jailChanged.extend({ settings: z.array(jailSetting) }),
  }),
  /** The jail bans nobody new. */
  "jail.pause": () => ({
    request: z.strictObject({
      jail: jailField,
      /** The pause ends after this time; undefined: when an operator resumes the jail. */
      seconds: secondsField.optional(),
      reason: textField,
    }),
    reply: jailRow,
  }),
  "jail.resume": () => ({ request: z.strictObject({ jail: jailField }), reply: jailRow }),
  /** Every coordinator reads its own coordinator.yaml again. */
  "jail.reload": () => ({
    request: z.strictObject({}),
    reply: z.object({
      /** Which coordinator answered, and which one decides (null: none right now). */
      coordinator: z.string(),
      decider: z.string().nullable(),
      /** Why the file is refused: the first faults, and how many there are; none: it is not. */
      faults: z.array(z.string()),
      faultCount: count,
      /** The first changes that count, in words, and how many there are. */
      changes: z.array(z.string()),
      changeCount: count,
      /** Options that have changed and count after a restart. */
      needRestart: z.array(z.string()),
      /** Of the policy that the file has; undefined: the file is refused. */
      policyVersion: policyVersion.optional(),
      /** false: the old policy decides until all failures are counted by the new one. */
      isInUse: z.boolean(),
    }),
  }),
  "ban.list": () => ({
    request: z
      .strictObject({
        jail: jailField.optional(),
        /** Bans that have an address in common with this one. */
        address: addressField.optional(),
        /** true: also those that have ended, from the history. */
        all: flagField,
        /** true: bans that are held, and in force nowhere. */
        held: flagField.optional(),
        ...banFilter,
        limit: limitField,
        after: cursorField(BAN_CURSOR),
      })
      .refine(({ since = -Infinity, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    reply: z.object({ bans: z.array(ban), total: z.number(), next, stale }),
  }),
  "ban.show": () => ({
    request: z.strictObject({
      jail: jailField.optional(),
      address: addressField,
      /** true: also the way of each ban that is due, with times. */
      trace: flagField.optional(),
    }),
    reply: z.object({
      /** Of the first bans, where it was asked for. */
      traces: z.array(trace).optional(),
      /** The first bans as they stand that have an address in common with this one. */
      bans: z.array(ban),
      /** How many such bans there are. */
      total: count,
      /** Where all of these bans are in force; null: none of them is to be. */
      standing: standing.nullable(),
      /** Where each of the first bans is in force, if that may differ from ban to ban. */
      local: z.array(z.object({ jail: z.string(), address, standing })).optional(),
      /** The last changes on record, oldest first. */
      changes: z.array(ban),
      /** The last failures on record, newest first, at most 20. */
      failures: z.array(failureRow),
      /** Entry of the allowlist that covers it in every jail. */
      allowed: allowed.nullable(),
      /** Entries that cover it in one jail each. */
      allowedInJails: z.array(allowed).optional(),
      /** An address of a machine of the fleet that it is or holds: never banned automatically. */
      machine: ownAddress.nullish(),
      /** Its last successful login on each host, the newest first; while a jail has knownGood. */
      logins: z.array(z.object({ host: z.string(), at: instant })).optional(),
      stale,
    }),
  }),
  "ban.add": () => ({
    request: z.strictObject({
      address: bannableField,
      jail: jailField,
      /** null: for ever; undefined: the jail's bantime. */
      seconds: secondsField.nullable().optional(),
      reason: textField,
      /** true: a shorter time replaces a longer one. */
      replace: flagField,
      wait,
      /** true: only says what would be done. */
      dryRun: flagField.optional(),
    }),
    /** In a dry run: the ban that would be there, and whether it would change. */
    reply: z.object({ ban, changed: z.boolean(), reach: reach.nullable() }),
  }),
  "ban.remove": () => ({
    request: z.strictObject({
      address: addressField,
      /** undefined: in every jail. */
      jail: jailField.optional(),
      reason: textField,
      /** Seconds in which failures do not count; undefined: the jail's findtime. */
      immunity: immunityField.optional(),
      wait,
    }),
    /**
     * The first bans that were lifted, and how many were. `covered`: the first bans that are still in
     * force on the address, in other jails or of networks around it.
     */
    reply: z.object({
      bans: z.array(ban),
      total: count,
      covered: z.array(ban).optional(),
      reach: reach.nullable(),
    }),
  }),
  /** Bans a part of a list of addresses and networks. */
  "ban.import": () => ({ request: z.strictObject(banImportRequest), reply: banImportReply }),
  /** Puts bans of a backup back. */
  "ban.restore": () => ({ request: z.strictObject(banRestoreRequest), reply: banRestoreReply }),
  /** Lifts every ban in force that is selected. */
  "ban.lift": () => ({ request: z.strictObject(liftManyRequest), reply: manyBansReply }),
  /** Puts held bans into force. */
  "ban.release": () => ({ request: z.strictObject(manyBansRequest), reply: manyBansReply }),
  /** Drops held bans. */
  "ban.discard": () => ({ request: z.strictObject(manyBansRequest), reply: manyBansReply }),
  "allow.list": () => ({
    request: z.strictObject({
      /** Without: as many as one message holds. */
      limit: limitField.optional(),
      after: cursorField(ALLOWED_CURSOR).optional(),
    }),
    /** In the order in which they were added. */
    reply: z.object({ allowed: z.array(allowed), total: count, next }),
  }),
  /** What keeps an address or network, or a part of it, from being banned. */
  "allow.show": () => ({
    request: z.strictObject({ address: addressField, jail: jailField.optional() }),
    reply: z.object({
      /** The entry that covers it, or else is within it: in the jail, or in every one. */
      allowed: allowed.nullable(),
      /** Without a jail: the first such entries for one jail each. */
      inJails: z.array(allowed).max(FIRST),
      /** The address of a machine of the fleet that it is or holds. */
      machine: ownAddress.nullable(),
    }),
  }),
  "allow.add": () => ({
    request: z.strictObject({
      address: allowableField,
      /** undefined: the entry is for every jail. */
      jail: jailField.optional(),
      comment: textField,
      /** undefined: the label that the entry has stays. */
      label: textField.optional(),
      /** The entry ends after this time; undefined: never. */
      seconds: secondsField.optional(),
      /** true: only says what would be done. */
      dryRun: flagField.optional(),
    }),
    reply: z.object({
      allowed,
      changed: z.boolean(),
      /** The first bans that had an address in common with it and were lifted. */
      lifted: z.array(ban),
      /** How many were lifted when this was answered. */
      liftedCount: count,
      /** How many are still to be lifted: agents do not enforce these bans any more. */
      pending: count,
    }),
  }),
  "allow.remove": () => ({
    request: z.strictObject({
      address: addressField,
      jail: jailField.optional(),
      /** Why; the audit keeps it. */
      reason: textField.optional(),
    }),
    reply: z.object({
      allowed,
      /** The first bans that the allowlist had lifted and that are in force or held again. */
      back: z.array(ban).optional(),
      /** How many such bans there were when this was answered, and how many are still to come back. */
      backCount: count.optional(),
      pending: count.optional(),
    }),
  }),
  /** Puts a part of a list on the allowlist. */
  "allow.import": () => ({ request: z.strictObject(allowImportRequest), reply: allowImportReply }),
  /** The metrics of the coordinator that answers, as its /metrics shows them. */
  "metric.list": () => ({
    request: z.strictObject({
      /** Without: as many as one message holds. */
      limit: limitField.optional(),
      after: cursorField(METRIC_CURSOR).optional(),
    }),
    reply: z.object({ metrics: z.array(metricRow), next, coordinator: z.string() }),
  }),
  "notify.list": () => ({
    request: z.strictObject({}),
    /** `sender`: the coordinator that sends; null: none right now. */
    reply: z.object({ sinks: z.array(sinkRow), sender: z.string().nullable() }),
  }),
  /** Sends a made-up event to a sink at once. */
  "notify.test": () => ({
    request: z.strictObject({ sink: sinkField }),
    /** Why the sink has not taken it; null: it has. */
    reply: z.object({ sink: z.string(), reason: z.string().nullable(), ms: z.number() }),
  }),
  /** Sends what waits now, and switches a sink on again; or sends again what was sent before. */
  "notify.resend": () => ({
    request: z.strictObject({ sink: sinkField, since: instantField.optional() }),
    reply: z.object({ sink: z.string() }),
  }),
  /** The actions of operators and coordinators. */
  "audit.list": () => ({
    request: z
      .strictObject({
        /** An operator's name, "decider" or "config". */
        by: textField.optional(),
        since: instantField.optional(),
        until: instantField.optional(),
        /** true: also what coordinators have decided by themselves. */
        all: flagField,
        limit: limitField,
        after: cursorField(AUDIT_CURSOR),
      })
      .refine(({ since = -Infinity, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    /** Newest first. */
    reply: z.object({ audit: z.array(auditRow), next, stale }),
  }),
  /** What has happened since the last answer. */
  "watch.show": () => ({
    /** Without: from now on. */
    request: z.strictObject({ after: watchPlaces.optional() }),
    reply: z.object({
      /** The last ones, the oldest first, and how many attempts there were in all. */
      failures: z.array(watchedFailure),
      attempts: count,
      /** The last changes of bans, and how many there were. */
      bans: z.array(ban),
      banCount: count,
      /** The hosts that are worst, and how many hosts there are. */
      hosts: z.array(watchedHost),
      hostCount: count,
      places: watchPlaces,
    }),
  }),
  /** Failures and bans of the last hour, which the coordinator that answers has counted in memory. */
  "rate.show": () => ({
    request: z.strictObject({}),
    reply: z.object({
      /** The begin of the first step. */
      since: instant,
      stepSeconds: count,
      /** Attempts that counted in each step, by the time when NATS stored them; the oldest first. */
      failures: z.array(count).max(MAX_STEPS),
      /** Bans that came into force in each step. The last step is not over. */
      bans: z.array(count).max(MAX_STEPS),
      /** The coordinator has started since, and does not know of failures before this instant. */
      knownSince: instant,
    }),
  }),
  /** Failures and bans on record, counted in steps of a period. */
  "series.show": () => ({
    request: z
      .strictObject({
        since: instantField,
        /** Without: until now. */
        until: instantField.optional(),
        ...failureFilter,
      })
      .refine(({ since, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    reply: z.object({
      /** The begin of the first step, at or before what was asked for. */
      since: instant,
      /** The same for all steps; the coordinator chooses it by the length of the period. */
      stepSeconds: count,
      /** Attempts of each step, the oldest first. The last step holds the end of the period. */
      attempts: z.array(count).max(MAX_STEPS),
      /** Bans that began in each step; null: bans do not have what was asked for, such as a user. */
      bans: z.array(count).max(MAX_STEPS).nullable(),
      stale,
    }),
  }),
  /** The attacks on an account, that is, on a user name as clients spell it. */
  "account.show": () => ({
    request: z
      .strictObject({
        user: textField,
        since: instantField,
        /** Without: until now. */
        until: instantField.optional(),
      })
      .refine(({ since, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    reply: z.object({
      user: z.string(),
      attempts: count,
      /** The first and the last attempt of the period; null: there is none. */
      firstAt: instant.nullable(),
      lastAt: instant.nullable(),
      /** The addresses with the most attempts, and how many addresses there are. */
      addresses: z.array(accountAddress).max(FIRST),
      addressCount: count,
      /** The hosts with the most attempts. */
      hosts: z.array(topRow).max(FIRST),
      /** false: no jail has knownGood, so nothing is known of logins. */
      knowsLogins: z.boolean(),
      stale,
    }),
  }),
  /** What the operator's databases say of addresses. */
  "about.show": () => ({
    request: z.strictObject({
      addresses: z
        .array(addressField, "expected a list of addresses")
        .max(FIRST, `expected at most ${FIRST} addresses`),
    }),
    /** In the order of the request; null: nothing is known of the address. */
    reply: z.object({ about: z.array(whereabouts.nullable()).max(FIRST) }),
  }),
  /**
   * What a jail with other numbers would have done to the failures of the last days, beside what it
   * does with today's. It changes nothing.
   */
  "simulation.show": () => ({
    request: z.strictObject({
      jail: jailField,
      days: daysField,
      /** Of the jail that is tried; undefined: as today. */
      maxretry: maxretryField.optional(),
      findtime: secondsField.optional(),
      /** null: for ever. */
      bantime: secondsField.nullable().optional(),
    }),
    reply: z.object({
      /** The failures from `since` to `until` were looked at. */
      since: instant,
      until: instant,
      /** false: there are too many failures, and only the part above was looked at. */
      isWhole: z.boolean(),
      /** Attempts that were looked at. */
      failures: count,
      today: simulatedOutcome,
      proposed: simulatedOutcome,
      stale,
    }),
  }),
  /** Failures that another program has seen. */
  "failure.add": () => ({
    request: z.strictObject({
      addresses: z
        .array(hostAddress, "expected a list of addresses")
        .min(1, "expected at least one address")
        .max(400, "expected at most 400 addresses"),
      jail: jailField,
      /** The host that has seen them. */
      host: hostField,
      user: textField.optional(),
      service: z.string("expected a text").max(32, "expected at most 32 characters").optional(),
      /** Of each address. */
      attempts: attemptsField,
    }),
    reply: z.object({ stored: count, jail: z.string(), host: z.string() }),
  }),
  /** A link to the web page that logs its asker in, once. */
  "web.login": () => ({
    request: z.strictObject({
      /** Where NATS vouches for names: the asker's credentials, see identity-proof.ts. */
      proof: identityProof.optional(),
    }),
    reply: z.object({ url: z.string(), seconds: count }),
  }),
  "failure.list": () => ({
    request: z
      .strictObject({
        ...failureFilter,
        since: instantField.optional(),
        until: instantField.optional(),
        limit: limitField,
        after: cursorField(FAILURE_CURSOR),
      })
      .refine(({ since = -Infinity, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    /** Newest first. */
    reply: z.object({ failures: z.array(failureRow), next, stale }),
  }),
  /** Which addresses, users and so on have failed most. */
  "failure.top": () => ({
    request: z
      .strictObject({
        by: z.enum(TOP_KINDS, `expected one of ${TOP_KINDS.join(", ")}`),
        since: instantField,
        /** Without: until now. */
        until: instantField.optional(),
        limit: limitField,
      })
      .refine(({ since, until = Infinity }) => since <= until, UNTIL_BEFORE_SINCE),
    /** Most attempts first; `attempts`: of all failures of the period. */
    reply: z.object({ top: z.array(topRow), attempts: count, stale }),
  }),
  /** Erases failures on record. */
  "failure.erase": () => ({
    request: z
      .strictObject({
        /** A user of exactly this name. */
        user: textField.optional(),
        /** An address or all of a network. */
        address: addressField.optional(),
        reason: textField,
        dryRun: flagField,
      })
      .refine(
        ({ user, address: of }) => (user === undefined) !== (of === undefined),
        "expected one of user and address",
      ),
    reply: z.object({
      /** Failures that were found, and that were erased; the same request erases the others. */
      failures: count,
      erased: count,
      oldest: instant.nullable(),
      newest: instant.nullable(),
      /** Changes of bans of the address, which stay on record. */
      banChanges: count,
    }),
  }),
});

export type Endpoint = keyof typeof api;
export type Request<E extends Endpoint> = z.infer<(typeof api)[E]["request"]>;
export type Reply<E extends Endpoint> = z.infer<(typeof api)[E]["reply"]>;

/**
 * Codes of an error reply, HTTP's numbers: 400 the request is wrong, 403 the asker may not ask it,
 * 404 there is no such thing, 409 it may not be done (allowlisted, say), 503 a part that is needed is
 * down.
 */
export type ApiErrorCode = 400 | 403 | 404 | 409 | 503;
