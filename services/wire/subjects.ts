/** Every subject, stream, bucket and key name. No other file spells one. */
import type { AskerRole } from "./askers.ts";
import { addressOfToken, addressToken, type Address } from "./address.ts";

export const FAILURES_STREAM = "FLEETBAN_FAILURES";
export const FAILURES_SUBJECTS = "fleetban.failures.>";
export const BANS_BUCKET = "fleetban_bans";
export const SETTINGS_BUCKET = "fleetban_settings";
export const LEASE_BUCKET = "fleetban_lease";
/** The one key of the lease bucket. */
export const LEASE_KEY = "decider";
/** Events for notifications, until every sink has them. */
export const EVENTS_STREAM = "FLEETBAN_EVENTS";
export const EVENTS_SUBJECTS = "fleetban.events.*";
/** Events of bans carry the place in the bans bucket that they were made from. */
export const BAN_EVENTS_SUBJECT = "fleetban.events.ban";
export const CONDITION_EVENTS_SUBJECT = "fleetban.events.condition";
/** How far notifications have come: of the bans bucket, and of each sink. */
export const NOTIFY_BUCKET = "fleetban_notify";
/** Sessions and login links of the web page, and the credentials that are revoked. */
export const WEB_BUCKET = "fleetban_web";
/** Digests of successful logins; there is no such stream unless a jail has knownGood. */
export const LOGINS_STREAM = "FLEETBAN_LOGINS";
export const LOGINS_SUBJECTS = "fleetban.logins.*";
export const STATUS_SUBJECTS = "fleetban.status.*";
export const API_SUBJECTS = "fleetban.api.>";
/** All requests for an endpoint: "fleetban.api.web.login.>" for "web.login". */
export const endpointSubjects = (endpoint: string): string => `fleetban.api.${endpoint}.>`;
/** Coordinators share the requests: each is answered by one of them. */
export const API_QUEUE = "fleetban.api";

/** A host, jail or source name as one token: what a subject and a file name can both hold. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
/** The name of the user who asks: an operator's name; without credentials "root@mx1", unchecked. */
export const WHO = /^[A-Za-z0-9_@-]{1,128}$/;
/** Where notifications go, see notify.sinks of coordinator.yaml. */
export const SINK_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
/** Jails name kernel objects too, which are short (ipset: 31 characters). */
export const JAIL_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$/;

/** An option of a jail, as coordinator.yaml spells it: "bantime.increment". */
export const JAIL_OPTION = /^[A-Za-z][A-Za-z0-9_]{0,30}(?:\.[a-z]{1,16})?$/;

/** "mx1.example.org" as one token: mx1-example-org. */
export function hostToken(hostname: string): string {
  return hostname.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 63);
}

/** Where `host` publishes the failures that `jail` saw there. */
export function failureSubject(jail: string, host: string): string {
  return `fleetban.failures.${jail}.${host}`;
}

export function statusSubject(host: string): string {
  return `fleetban.status.${host}`;
}

/** Where `host` publishes the addresses from which somebody has logged in there. */
export function loginsSubject(host: string): string {
  return `fleetban.logins.${host}`;
}

/**
 * Where the CLI asks, in the name of `who`. Credentials allow this token only as their own name, so
 * a coordinator knows from the subject who asks. NATS limits the verbs of a viewer. What support may
 * ask depends on the content of a request, so the subject says that support asks.
 */
export function apiSubject(noun: string, verb: string, who: string, role: AskerRole): string {
  const subject = `fleetban.api.${noun}.${verb}.${who}`;
  return role === "support" ? `${subject}.${role}` : subject;
}

/** A request's endpoint, "NOUN.VERB", and who asks; undefined: nobody may ask so. */
export function parseApiSubject(
  subject: string,
): { endpoint: string; who: string; role: AskerRole } | undefined {
  const [, , noun = "", verb = "", who = "", suffix, ...more] = subject.split(".");
  if (!WHO.test(who) || more.length > 0) return undefined;
  if (suffix !== undefined && suffix !== "support") return undefined;
  return { endpoint: `${noun}.${verb}`, who, role: suffix ?? "operator" };
}

/** The bans bucket holds one entry per jail and banned address. */
export function banKey(jail: string, address: Address): string {
  return `${banKeyPrefix(jail)}${addressToken(address)}`;
}

/** The beginning of the keys of all bans of the jail. */
export const banKeyPrefix = (jail: string): string => `${jail}.`;

export const jailOfBanKey = (key: string): string => key.split(".", 1)[0] ?? "";

/** Settings bucket: what agents need to know of a jail. */
export function jailKey(jail: string): string {
  return `jail.${jail}`;
}

/** Settings bucket: an operator has set this option of a jail, see `JailSetting`. */
export function jailSettingKey(jail: string, option: string): string {
  return `jail-setting.${jail}.${option}`;
}

/** Settings bucket: an operator has paused the jail, see `JailPause`. */
export function jailPauseKey(jail: string): string {
  return `jail-pause.${jail}`;
}

/** undefined: it is the key of something else. */
export function jailOfPauseKey(key: string): string | undefined {
  return nameBehind(jailPauseKey(""), key);
}

/** Settings bucket: one entry of the allowlist, for every jail or for one. */
export function allowKey({
  address,
  jail,
}: {
  address: Address;
  jail?: string | undefined;
}): string {
  const key = `allow.${addressToken(address)}`;
  return jail === undefined ? key : `${key}.${jail}`;
}

/** The address and jail that an entry of the allowlist is for; undefined: another entry's key. */
export function placeOfAllowKey(key: string): { address: Address; jail?: string } | undefined {
  const [kind, token = "", jail, ...rest] = key.split(".");
  const address = kind === "allow" && rest.length === 0 ? addressOfToken(token) : undefined;
  return address && { address, ...(jail !== undefined && { jail }) };
}

/** Settings bucket: agents of this name that are refused, see `DuplicateNotice`. */
export function duplicateKey(host: string): string {
  return `duplicate.${host}`;
}

export type MachineKind = "host" | "coordinator" | "cli";

/** Settings bucket: the addresses of one machine of the fleet, see `Machine`. */
export function machineKey(kind: MachineKind, name: string): string {
  return `machine.${kind}.${name}`;
}

/** undefined: it is the key of something else, or of a machine of another kind. */
export function nameOfMachineKey(kind: MachineKind, key: string): string | undefined {
  return nameBehind(machineKey(kind, ""), key);
}

/** Settings bucket: this host's failures do not count, see `Quarantine`. */
export function quarantineKey(host: string): string {
  return `quarantine.${host}`;
}

/** undefined: it is the key of something else. */
export function hostOfQuarantineKey(key: string): string | undefined {
  return nameBehind(quarantineKey(""), key);
}

/** Settings bucket: logins fail on this host for a reason of its own, see `BrokenLogins`. */
export function brokenLoginsKey(host: string): string {
  return `broken-logins.${host}`;
}

/** undefined: it is the key of something else. */
export function hostOfBrokenLoginsKey(key: string): string | undefined {
  return nameBehind(brokenLoginsKey(""), key);
}

/** Settings bucket: an operator has commanded `fleetban notify resend`, see `Resend`. */
export function resendKey(sink: string): string {
  return `resend.${sink}`;
}

/** Settings bucket: a drill that this host is to do, see `Drill`. */
export function drillKey(host: string): string {
  return `drill.${host}`;
}

/** undefined: it is the key of something else. */
export function hostOfDrillKey(key: string): string | undefined {
  return nameBehind(drillKey(""), key);
}

/** Settings bucket: a policy was read again, see `Reload`. */
export const RELOAD_KEY = "reload";

/** Settings bucket: a coordinator has refused its changed policy, see `RefusedPolicy`. */
export function refusedPolicyKey(coordinator: string): string {
  return `refused-policy.${coordinator}`;
}

/** undefined: it is the key of something else. */
export function coordinatorOfRefusedPolicyKey(key: string): string | undefined {
  return nameBehind(refusedPolicyKey(""), key);
}

/** The header of a deletion in the settings bucket that names the operator who deletes. */
export const REMOVED_BY_HEADER = "Fleetban-By";

/** The header of a deletion in the settings bucket that says why; there is none without a reason. */
export const REMOVED_BECAUSE_HEADER = "Fleetban-Because";

/** Settings bucket: a coordinator asks every agent for its status, see `RollCall`. */
export const ROLL_CALL_KEY = "roll-call";

/** Settings bucket: the leader lives, see `SignOfLife`. */
export const LEADER_KEY = "leader";

/** Settings bucket: says that the bans bucket is complete, see `BucketReady`. */
export const READY_KEY = "ready";

/**
 * Web bucket: a session, or a link that somebody may log in with. `hash` is the SHA-256 of the
 * secret, in hexadecimal: whoever reads the bucket cannot log in.
 */
export function webKey(kind: "session" | "link", hash: string): string {
  return `${kind}.${hash}`;
}

/** Web bucket: the credentials with this public key are revoked, see `fleetban key revoke`. */
export function revokedKey(publicKey: string): string {
  return `revoked.${publicKey}`;
}

/** undefined: `key` does not begin with `prefix`. */
function nameBehind(prefix: string, key: string): string | undefined {
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}
