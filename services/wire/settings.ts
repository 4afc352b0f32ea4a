/** Entries of the settings bucket: everything that agents must know besides the bans. */
import * as z from "zod";
import { POLICY_VERSION } from "./ban.ts";
import { address, decode, encode, foreignText, hostAddress, instant, textOf } from "./codec.ts";
import { drill, type Drill } from "./drill.ts";
import { HOST_PATTERN } from "./host-pattern.ts";
import {
  JAIL_NAME,
  JAIL_OPTION,
  LEADER_KEY,
  READY_KEY,
  RELOAD_KEY,
  ROLL_CALL_KEY,
} from "./subjects.ts";

/** The protocols whose ports a ban closes. "tcp,udp" is both; "all" is every protocol. */
export const PROTOCOLS = ["tcp", "udp", "tcp,udp", "all"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Of one jail; older ones are forgotten. */
export const MAX_PAUSES = 100;
/** The longest value of an option that an operator sets. */
export const MAX_OPTION_LENGTH = 1_000;

const expressions = z.array(z.string().max(8_192)).max(100);

/** When a jail is paused, the oldest first; null: it goes on. */
const pausePeriods = z
  .array(z.object({ from: instant, until: instant.nullable() }))
  .max(MAX_PAUSES);

/** Durations in seconds. */
const jailFields = {
  v: z.literal(1),
  name: z.string().regex(JAIL_NAME),
  /** Ports that a ban closes; empty: all. */
  ports: z.array(z.number().int().min(1).max(65535)).max(64),
  /** Undefined: tcp for ports that are listed, every protocol where all ports are closed. */
  protocol: z.enum(PROTOCOLS).optional(),
  maxretry: z.number().int().min(1).max(100),
  findtime: z.number().positive(),
  /** Bits of the prefix that addresses are counted and banned by; undefined: single addresses. */
  ipv4_prefix: z.number().int().min(8).max(32).optional(),
  ipv6_prefix: z.number().int().min(32).max(128).optional(),
  /** null: for ever. */
  bantime: z.number().positive().nullable(),
  /** How bans of an address that was banned before grow; undefined: all last bantime. */
  increment: z
    .object({
      factor: z.number().positive(),
      /** Empty: 1, 2, 4, 8 ... */
      multipliers: z.array(z.number().positive()).max(100),
      maxtime: z.number().positive().optional(),
      rndtime: z.number().positive().optional(),
      /** Bans of all jails count as earlier ones. */
      overalljails: z.boolean(),
    })
    .optional(),
  /** An address that tries this many user names within findtime is banned before maxretry. */
  users: z.number().int().min(2).max(99).optional(),
  /** The same with user names of this many unrelated mail domains. */
  domains: z.number().int().min(2).max(99).optional(),
  /** This many hosts must have seen failures of an address; undefined: one. */
  minhosts: z.number().int().min(2).max(100).optional(),
  /** "local-first": with fewer hosts the ban is in force on these alone. undefined: "strict". */
  quorum: z.enum(["strict", "local-first"]).optional(),
  /** Only failures of these hosts count, and only they enforce bans; undefined: every host. */
  hosts: z.array(z.string().regex(HOST_PATTERN)).min(1).max(64).optional(),
  /** What the coordinator decides is shown and recorded, and never in force. */
  shadow: z.boolean().optional(),
  /** User names that nobody has, in lower case: one attempt with them is an offence. */
  decoys: z.array(z.string().min(1).max(256)).max(1000).optional(),
  /**
   * An address from which somebody has logged in within the last `within` seconds is known good, and
   * needs `factor` times as many failures, user names or mail domains.
   */
  knownGood: z
    .object({ factor: z.number().gt(1).max(20), within: z.number().positive() })
    .optional(),
  /** A network is banned when `addresses` of its addresses were banned within findtime. */
  network: z
    .object({
      prefix4: z.number().int().min(8).max(31),
      prefix6: z.number().int().min(32).max(127),
      addresses: z.number().int().min(2).max(100),
      findtime: z.number().positive(),
    })
    .optional(),
  /** What the jail counts: failures, or the bans of the other jails. undefined: failures. */
  source: z.enum(["failures", "bans"]).optional(),
  /** Failures of these times count for nothing; undefined: operators have not paused it. */
  pauses: pausePeriods.optional(),
  /** Of a jail with a filter of its own, as fail2ban has them; without: Dovecot's own lines count. */
  prefregex: z.string().max(8_192).optional(),
  failregex: expressions.optional(),
  ignoreregex: expressions.optional(),
  datepattern: z.string().max(8_192).optional(),
} as const;

/** What an operator has set ends then: these fields get other values, and those are there no more. */
const jailChange = z.object({
  at: instant,
  changed: z.object(jailFields).partial(),
  gone: z.array(textOf(32)).max(64),
});

/** A jail as agents need it, under `jail.<name>`. */
export const jail = z.object({
  ...jailFields,
  /** What becomes of it by itself, for hosts that hear nothing of that; the next change first. */
  later: z.array(jailChange).max(64).optional(),
});
export type Jail = z.infer<typeof jail>;

/** What of a jail an answer shows: its filter and its list of decoys may be long. */
export const shownJail = jail.omit({
  ...{ prefregex: true, failregex: true, ignoreregex: true, datepattern: true },
  ...{ decoys: true, pauses: true, later: true },
});

/**
 * An option of a jail that an operator has set in place of what coordinator.yaml says, under
 * `jail-setting.<jail>.<option>`.
 */
export const jailSetting = z.object({
  v: z.literal(1),
  jail: z.string().regex(JAIL_NAME),
  /** An option of a jail, as coordinator.yaml has it. */
  option: z.string().regex(JAIL_OPTION),
  /** Its value, as coordinator.yaml would have it: YAML. */
  value: textOf(MAX_OPTION_LENGTH),
  by: foreignText,
  at: instant,
  /** A coordinator takes it back then; undefined: never. */
  until: instant.optional(),
});
export type JailSetting = z.infer<typeof jailSetting>;

/**
 * A jail that bans nobody new, under `jail-pause.<jail>`. After its end the entry stays until nobody
 * reads failures of that time any more.
 */
export const jailPause = z.object({
  v: z.literal(1),
  by: foreignText,
  reason: foreignText,
  /** When it was paused or resumed last. */
  at: instant,
  /** Failures that NATS stored in one of them do not count. */
  periods: pausePeriods.min(1),
});
export type JailPause = z.infer<typeof jailPause>;

/**
 * An address or network that no automatic ban may touch, under `allow.<token>`; that none of one
 * jail may touch, under `allow.<token>.<jail>`.
 */
export const allowed = z.object({
  v: z.literal(1),
  address,
  /** undefined: it is for every jail. */
  jail: z.string().regex(JAIL_NAME).optional(),
  comment: foreignText,
  addedAt: instant,
  by: foreignText,
  /** Config entries come and go with the coordinator's configuration. */
  origin: z.enum(["config", "operator"]),
  /** A coordinator takes the entry off the list then; undefined: never. */
  until: instant.optional(),
  /** The host name whose address it is. */
  name: textOf(253).optional(),
  /** A word by which operators find their entries. */
  label: foreignText.optional(),
});
export type Allowed = z.infer<typeof allowed>;

/**
 * Says that the bans bucket whose stream was created at `bansCreated` (NATS's
 * own text) holds every active ban: after NATS lost its storage, the coordinator
 * writes it once the bans are back. Until then an agent adds what it sees and
 * removes nothing.
 */
export const bucketReady = z.object({ v: z.literal(1), bansCreated: textOf(64) });
export type BucketReady = z.infer<typeof bucketReady>;

/**
 * Agents that must end, for another is at work under the name of their host, under
 * `duplicate.<host>`: each finds its own instance there.
 */
export const duplicateNotice = z.object({
  v: z.literal(1),
  instances: z.array(z.uuid()).max(16),
  /** The one that has the name. */
  holder: z.object({ addresses: z.array(address).max(256), startedAt: instant }),
});
export type DuplicateNotice = z.infer<typeof duplicateNotice>;

/** An address of a machine of the fleet; `what` is "host mx1", "PostgreSQL (db.example.org)" or "alice's CLI". */
export const ownAddress = z.object({ address: hostAddress, what: foreignText });

/**
 * Addresses of the fleet's own machines, which no automatic ban may touch, under
 * `machine.host.<host>` and `machine.coordinator.<machine>`, and an address from which somebody uses
 * the CLI, under `machine.cli.<address>`. Coordinators write them, so that every coordinator knows
 * them from its start on.
 */
export const machine = z.object({
  v: z.literal(1),
  addresses: z.array(ownAddress).max(256),
  seenAt: instant,
});
export type Machine = z.infer<typeof machine>;

/**
 * A host whose failures do not count, under `quarantine.<host>`. After its end the entry stays
 * until nobody reads failures of that time any more.
 */
export const quarantine = z.object({
  v: z.literal(1),
  since: instant,
  /** null: it goes on. */
  until: instant.nullable(),
  by: foreignText,
  reason: foreignText,
});
export type Quarantine = z.infer<typeof quarantine>;

/**
 * A host whose logins fail for a reason of its own, under `broken-logins.<host>`: the bans that it
 * causes are held. The coordinator that decides writes the entry, and erases it when that is over.
 */
export const brokenLogins = z.object({
  v: z.literal(1),
  /** What fails, as a clause. */
  reason: foreignText,
  /** When the host has said so, not more than some minutes before the last time. */
  at: instant,
  /** The start of the agent that has said so. */
  instance: z.uuid(),
});
export type BrokenLogins = z.infer<typeof brokenLogins>;

/**
 * A coordinator has started and asks every agent for its status, under `roll-call`: the last one
 * that did. An agent reports at once when the entry changes.
 */
export const rollCall = z.object({
  v: z.literal(1),
  /** Names the coordinator. */
  id: textOf(128),
  at: instant,
});
export type RollCall = z.infer<typeof rollCall>;

/** How often the leader gives a sign of life. */
export const SIGN_OF_LIFE_EVERY_MS = 2_000;

/**
 * A sign of life of the coordinator that decides, under `leader`. An agent that misses it for some
 * time counts for itself. It also says what is decided: whatever the failures of the stream up to
 * `failures` have brought stands in the bans bucket up to the revision `bans`.
 */
export const signOfLife = z.object({
  v: z.literal(1),
  /** Names the coordinator. */
  id: textOf(128),
  /** A sequence of the stream of failures; null: some of them are not decided yet. */
  failures: z.number().int().nonnegative().nullable(),
  bans: z.number().int().nonnegative(),
  /** Creation time of the bans bucket that `bans` counts in, as NATS spells it. */
  bansCreated: textOf(64),
});
export type SignOfLife = z.infer<typeof signOfLife>;

/** A coordinator has read its policy again, under `reload`: the last time that one did. */
export const reload = z.object({
  v: z.literal(1),
  by: foreignText,
  at: instant,
  coordinator: textOf(63),
  /** Every other coordinator reads its own file again, too. */
  isForAll: z.boolean(),
  /** What has changed, in words. */
  detail: foreignText,
  /** The version of the policy that the coordinator has read. */
  policyVersion: z.string().regex(POLICY_VERSION).optional(),
});
export type Reload = z.infer<typeof reload>;

/** A coordinator has refused its changed policy, under `refused-policy.<coordinator>`. */
export const refusedPolicy = z.object({
  v: z.literal(1),
  /** The first fault of the file. */
  reason: foreignText,
  /** When the coordinator wrote this last: it does so as long as that is so. */
  at: instant,
});
export type RefusedPolicy = z.infer<typeof refusedPolicy>;

/** A sink gets notifications again, under `resend.<sink>`: the last such command of an operator. */
export const resend = z.object({
  v: z.literal(1),
  by: foreignText,
  at: instant,
  /** Events from then on; undefined: those that wait, now. */
  since: instant.optional(),
});
export type Resend = z.infer<typeof resend>;

export const encodeDrill = (value: Drill): Uint8Array => encode(drill, value);
export const encodeResend = (value: Resend): Uint8Array => encode(resend, value);
export const encodeQuarantine = (value: Quarantine): Uint8Array => encode(quarantine, value);
export const decodeQuarantine = (bytes: Uint8Array, key: string): Quarantine =>
  decode(quarantine, bytes, key);
export const encodeBrokenLogins = (value: BrokenLogins): Uint8Array => encode(brokenLogins, value);
export const encodeRollCall = (value: RollCall): Uint8Array => encode(rollCall, value);
export const encodeMachine = (value: Machine): Uint8Array => encode(machine, value);
export const decodeMachine = (bytes: Uint8Array, key: string): Machine =>
  decode(machine, bytes, key);
export const encodeDuplicateNotice = (value: DuplicateNotice): Uint8Array =>
  encode(duplicateNotice, value);
export const decodeDuplicateNotice = (bytes: Uint8Array, key: string): DuplicateNotice =>
  decode(duplicateNotice, bytes, key);
export const encodeReload = (value: Reload): Uint8Array => encode(reload, value);
export const encodeRefusedPolicy = (value: RefusedPolicy): Uint8Array =>
  encode(refusedPolicy, value);
export const encodeJailSetting = (value: JailSetting): Uint8Array => encode(jailSetting, value);
export const encodeJailPause = (value: JailPause): Uint8Array => encode(jailPause, value);
export const encodeJail = (value: Jail): Uint8Array => encode(jail, value);
export const decodeJail = (bytes: Uint8Array, key: string): Jail => decode(jail, bytes, key);
export const encodeAllowed = (value: Allowed): Uint8Array => encode(allowed, value);
export const decodeAllowed = (bytes: Uint8Array, key: string): Allowed =>
  decode(allowed, bytes, key);
export const encodeBucketReady = (value: BucketReady): Uint8Array => encode(bucketReady, value);
export const decodeBucketReady = (bytes: Uint8Array, key: string): BucketReady =>
  decode(bucketReady, bytes, key);
export const encodeSignOfLife = (value: SignOfLife): Uint8Array => encode(signOfLife, value);

/** An entry of the settings bucket; `other`: one of a newer version. */
export type Setting =
  | { type: "jail"; jail: Jail }
  | { type: "jail-setting"; setting: JailSetting }
  | { type: "jail-pause"; pause: JailPause }
  | { type: "allowed"; entry: Allowed }
  | { type: "ready"; bansCreated: string }
  | { type: "leader"; sign: SignOfLife }
  | { type: "duplicate-agents"; host: string; refused: DuplicateNotice }
  | { type: "machine"; machine: Machine }
  | { type: "quarantine"; quarantine: Quarantine }
  | { type: "broken-logins"; broken: BrokenLogins }
  | { type: "roll-call"; call: RollCall }
  | { type: "resend"; sink: string; resend: Resend }
  | { type: "reload"; reload: Reload }
  | { type: "drill"; host: string; drill: Drill }
  | { type: "refused-policy"; refused: RefusedPolicy }
  | { type: "other" };

/** When an operator has written the entry; -Infinity: no operator has. */
export function writtenAtOf(setting: Setting): number {
  if (setting.type === "jail-setting") return setting.setting.at;
  if (setting.type === "jail-pause") return setting.pause.at;
  if (setting.type === "quarantine") return setting.quarantine.until ?? setting.quarantine.since;
  return -Infinity;
}

/** Throws a WireError for what no coordinator has written. */
export function decodeSetting(bytes: Uint8Array, key: string): Setting {
  if (key === READY_KEY) return { type: "ready", ...decodeBucketReady(bytes, key) };
  if (key === LEADER_KEY) return { type: "leader", sign: decode(signOfLife, bytes, key) };
  if (key === RELOAD_KEY) return { type: "reload", reload: decode(reload, bytes, key) };
  if (key === ROLL_CALL_KEY) return { type: "roll-call", call: decode(rollCall, bytes, key) };
  const [kind = "", ...rest] = key.split(".");
  const name = rest.join(".");
  if (kind === "jail") return { type: "jail", jail: decodeJail(bytes, key) };
  if (kind === "jail-setting") {
    return { type: "jail-setting", setting: decode(jailSetting, bytes, key) };
  }
  if (kind === "jail-pause") return { type: "jail-pause", pause: decode(jailPause, bytes, key) };
  if (kind === "allow") return { type: "allowed", entry: decodeAllowed(bytes, key) };
  if (kind === "quarantine") {
    return { type: "quarantine", quarantine: decodeQuarantine(bytes, key) };
  }
  if (kind === "broken-logins") {
    return { type: "broken-logins", broken: decode(brokenLogins, bytes, key) };
  }
  if (kind === "machine") return { type: "machine", machine: decodeMachine(bytes, key) };
  if (kind === "drill") return { type: "drill", host: name, drill: decode(drill, bytes, key) };
  if (kind === "resend") return { type: "resend", sink: name, resend: decode(resend, bytes, key) };
  if (kind === "refused-policy") {
    return { type: "refused-policy", refused: decode(refusedPolicy, bytes, key) };
  }
  if (kind !== "duplicate") return { type: "other" };
  return { type: "duplicate-agents", host: name, refused: decodeDuplicateNotice(bytes, key) };
}
