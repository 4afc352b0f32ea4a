/**
 * Every warning that fleetban can give its operator, declared once. `fleetban status`,
 * `fleetban host list`, the logs, the metric `fleetban_warnings` and docs/troubleshooting.md
 * all use this registry; a test holds that page to it.
 *
 * To add a warning: declare it here with its title and its text, which says what is wrong, what
 * follows from that and what to do; give it a section in docs/troubleshooting.md; then call `warn`
 * where the condition is found.
 */
import * as z from "zod";
import { textOf } from "./codec.ts";

/** The longest text that the wire carries, in UTF-16 code units. */
const MAX_TEXT_LENGTH = 500;

export const warning = z.object({
  code: textOf(64),
  severity: z.enum(["low", "medium", "high"]),
  text: textOf(MAX_TEXT_LENGTH),
  /** What the warning is about where a host can have it several times, such as a source's name. */
  subject: textOf(64).optional(),
});
export type Warning = z.infer<typeof warning>;
type Severity = Warning["severity"];

interface Declaration<Facts> {
  severity: Severity | ((facts: Facts) => Severity);
  /** A few words without values, as the heading of docs/troubleshooting.md has them. */
  title: string;
  /** One sentence for this very case: the fact, what follows, the remedy. */
  text: (facts: Facts) => string;
}

/** Only gives `Facts` a name: what the text needs to know. */
const declare = <Facts = undefined>(declaration: Declaration<Facts>) => declaration;

interface Expiry {
  /** When it ends, epoch milliseconds. */
  until: number;
  now: number;
}
const HIGH_BEFORE_MS = 3 * 86_400_000;
const expirySeverity = ({ until, now }: Expiry): Severity =>
  until - now < HIGH_BEFORE_MS ? "high" : "medium";
const describeExpiry = ({ until, now }: Expiry) =>
  `${until <= now ? "expired" : "expire"} on ${new Date(until).toISOString()}`;

export const WARNINGS = {
  // The agent's state and its way to NATS.
  "state-not-written": declare<{ reason: string }>({
    severity: "high",
    title: "the agent cannot write its state",
    text: ({ reason }) =>
      `the state cannot be written: ${reason}; bans and failures go on, but a restart goes on ` +
      "from an older place: make room, or give the folder back to the agent's user " +
      "(fleetban-agent check names the remedy)",
  }),
  "failures-not-stored": declare<{ reason: string }>({
    severity: "high",
    title: "NATS does not store failures",
    text: ({ reason }) =>
      `its failures are not counted, NATS does not store them: ${reason}; ` +
      "they are sent as soon as it does",
  }),

  "stream-not-read": declare<{
    role: "agent" | "coordinator";
    name: string;
    what: string;
    consequence: string;
    reason: string;
  }>({
    severity: "high",
    title: "NATS does not let a program read what it needs",
    text: ({ role, name, what, consequence, reason }) =>
      `${role} ${name} cannot read ${what} from NATS, so ${consequence}: ${reason}; if NATS refuses ` +
      `it, make new credentials with fleetban key ${role} NAME --renew, otherwise see NATS's log`,
  }),

  "logins-not-stored": declare<{ reason: string }>({
    severity: "medium",
    title: "NATS does not store successful logins",
    text: ({ reason }) =>
      `its successful logins do not reach the coordinator: ${reason}; addresses that are known good ` +
      "(knownGood) by this host alone count as any other: if NATS refuses it, run fleetban key push " +
      "and give the host new credentials with fleetban key agent NAME --renew",
  }),

  "logins-not-read": declare<{ reason: string }>({
    severity: "medium",
    title: "successful logins are not known",
    text: ({ reason }) =>
      `the stream of successful logins cannot be kept: ${reason}; addresses that are known good ` +
      "(knownGood) count as any other: if NATS refuses it, the coordinator's credentials are older " +
      "than knownGood: make new ones with fleetban key coordinator NAME --renew",
  }),

  "web-sessions": declare<{ reason: string }>({
    severity: "medium",
    title: "nobody can log in to the web page",
    text: ({ reason }) =>
      `NATS does not keep the sessions of the web page: ${reason}; nobody can log in: if NATS refuses ` +
      "it, the coordinator's credentials are older than the web page: make new ones with fleetban key " +
      "coordinator NAME --renew",
  }),

  "web-certificate": declare<{ reason: string }>({
    severity: "medium",
    title: "the web page's new certificate cannot be used",
    text: ({ reason }) =>
      `the web page keeps the certificate that it has: ${reason}; put both files right, and ` +
      "systemctl reload fleetban-coordinator",
  }),
  "web-certificate-expires": declare<Expiry>({
    severity: expirySeverity,
    title: "the web page's certificate expires soon",
    text: (expiry) =>
      `the days of the web page's certificate ${describeExpiry(expiry)}: put a new one in place of ` +
      "the files in web.tls, the coordinator reads them by itself",
  }),

  "host-alone": declare<{ since: number; bans: number }>({
    severity: "high",
    title: "a host is alone",
    text: ({ since, bans }) =>
      `nobody decides since ${new Date(since).toISOString()}, because NATS or the coordinator cannot ` +
      `be reached: this host counts for itself, and has banned ${bans} ` +
      `${bans === 1 ? "address" : "addresses"} alone; fleetban-agent status shows them: bring NATS ` +
      "and a coordinator back",
  }),

  // What Dovecot says of a host's logins.
  "logins-broken": declare<{ reason: string }>({
    severity: "high",
    title: "logins fail for a reason of the host's own",
    text: ({ reason }) =>
      `logins fail for a reason of the host's own: ${reason}; automatic bans that it causes are ` +
      "held until that is over: see doveadm log errors on the host, and fleetban ban list --held",
  }),

  // The firewall of a host.
  "firewall-not-effective": declare<{ reason: string }>({
    severity: "high",
    title: "bans may not take effect on a host",
    text: ({ reason }) => `bans are not effective: ${reason}`,
  }),
  "firewall-refuses": declare<{ reason: string }>({
    severity: "high",
    title: "a host's firewall refuses a change",
    text: ({ reason }) =>
      "the firewall has refused a change as a whole; the bans in force stay in force, new and " +
      "lifted ones may be missing, and the agent tries again within a minute: run fleetban-agent " +
      `check on the host, and see dmesg. The firewall says: ${reason}`,
  }),
  "bans-rejected": declare<{ count: number; reason: string }>({
    severity: "high",
    title: "a host's kernel refuses bans",
    text: ({ count, reason }) =>
      `${count === 1 ? "1 ban is" : `${count} bans are`} not in force on this host: ${reason}`,
  }),
  "firewall-left-behind": declare<{ text: string }>({
    severity: "high",
    title: "bans of another firewall back end are still in force",
    text: ({ text }) => text,
  }),
  "firewall-passed-over": declare<{ reason: string }>({
    severity: "medium",
    title: "a firewall back end that comes first cannot be used",
    text: ({ reason }) => reason,
  }),
  "dry-run": declare({
    severity: "high",
    title: "a host bans nobody",
    text: () =>
      "it bans nobody: its firewall.backend is dry-run; set another one in agent.yaml to ban",
  }),

  // The sources of a host.
  "source-gap": declare<{ source: string; foundAt: number; reason: string }>({
    severity: "high",
    title: "lines of a source were lost",
    text: ({ source, foundAt, reason }) =>
      `source ${source} lost lines before ${new Date(foundAt).toISOString()}: ${reason}; ` +
      "failures in them were not counted",
  }),
  "source-failed": declare<{ source: string; where: string; reason: string }>({
    severity: "high",
    title: "a source cannot be read",
    text: ({ source, where, reason }) =>
      `source ${source} (${where}) cannot be read, its failures are not counted: ${reason}`,
  }),
  "source-missing": declare<{ source: string; path: string }>({
    severity: "medium",
    title: "a source's file does not exist",
    text: ({ source, path }) =>
      `source ${source}: there is no file ${path} yet, which is read as soon as there is; doveadm ` +
      "log find says where Dovecot logs, and where that is the journal, give its unit in place of a path",
  }),
  "source-unit-missing": declare<{ source: string; unit: string }>({
    severity: "high",
    title: "a source's unit does not exist",
    text: ({ source, unit }) =>
      `source ${source}: this machine has no unit ${unit}, so nothing is counted; ` +
      "systemctl list-units --type=service says which there are",
  }),
  "source-quiet": declare<{ source: string; where: string; port: number }>({
    severity: "low",
    title: "a source has had no line for an hour",
    text: ({ source, where, port }) =>
      `source ${source} (${where}) has had no line for an hour, though a server listens on port ` +
      `${port}: does it log there? doveadm log find says where Dovecot does; on a host that nobody ` +
      "uses this is nothing to worry about",
  }),
  "log-clock": declare<{ source: string; difference: string }>({
    severity: "high",
    title: "the time in a log is wrong",
    text: ({ source, difference }) =>
      `source ${source}: the time of its lines is ${difference} this host's clock, by no whole quarter ` +
      "of an hour, so it is no other time zone; failures count at the wrong time or not at all: " +
      "set the clock right of the machine that writes the log, or see what delays its lines",
  }),
  "lines-not-understood": declare<{
    source: string;
    where: string;
    count: number;
    sample: string;
  }>({
    severity: "medium",
    title: "lines that look like attempts are not understood",
    text: ({ source, where, count, sample }) =>
      `source ${source}: ${count} lines within an hour look like attempts and are not understood, so ` +
      `nothing of them is counted; fleetban explain --unrecognized shows those of ${where}. ` +
      "If Dovecot wrote them under another name, give that as the source's instance. " +
      `The last one: ${sample}`,
  }),
  "source-lag": declare<{ source: string; megabytes: number }>({
    severity: "medium",
    title: "a source is far behind",
    text: ({ source, megabytes }) => `source ${source} is ${megabytes} MB behind`,
  }),
  "lines-shortened": declare<{ source: string; lines: number }>({
    severity: "low",
    title: "a filter has not looked at all of a long line",
    text: ({ source, lines }) =>
      `source ${source} had ${lines} ${lines === 1 ? "line" : "lines"} of over 4096 characters: the ` +
      "jail's filter looked at the first 3072 and the last 1024 of each; see who writes them",
  }),
  "filter-unusable": declare<{ source: string; jail: string; reason: string }>({
    severity: "high",
    title: "an agent cannot use its jail's filter",
    text: ({ source, jail, reason }) =>
      `the agent cannot use the filter of jail ${jail} for source ${source}: what it reads counts ` +
      "by the filter of before, or nothing counts; give the agent the coordinator's version: " +
      reason,
  }),
  "unknown-jail": declare<{ source: string; jail: string }>({
    severity: "high",
    title: "a source belongs to a jail that the coordinator does not have",
    text: ({ source, jail }) =>
      `source ${source} is of jail ${jail}, which the coordinator does not have: nothing counts; ` +
      "add the jail to coordinator.yaml or correct the source",
  }),

  // A host, as the coordinator sees it.
  "second-agent": declare<{ host: string; where: string }>({
    severity: "high",
    title: "two agents use one host name",
    text: ({ host, where }) =>
      `a second agent calls itself ${host}, on ${where}, and is refused: ` +
      "it needs a name (host) and credentials of its own",
  }),
  "host-down": declare({
    severity: "high",
    title: "a host is silent",
    text: () => "it is silent: see systemctl status fleetban-agent there",
  }),
  "host-late": declare<{ since: number }>({
    severity: "high",
    title: "a host does not put bans into force",
    text: ({ since }) =>
      `it has not put into force what the fleet had decided by ${new Date(since).toISOString()}: new ` +
      "bans may be missing there, and lifted ones stay; see its other warnings and journalctl -u " +
      "fleetban-agent there, and restart the agent if they say nothing",
  }),
  "not-decodable": declare<{ host: string; count: number; what: string; reason: string }>({
    severity: "high",
    title: "messages of a host cannot be decoded",
    text: ({ host, count, what, reason }) =>
      `${count === 1 ? "1 message" : `${count} messages`} of host ${host} (${what}) within an hour ` +
      `cannot be decoded, and ${count === 1 ? "does" : "do"} not count: ${reason}; where its agent is ` +
      "newer than the coordinators, upgrade them",
  }),
  "host-clock": declare<{ difference: string }>({
    severity: "medium",
    title: "a host's clock differs from NATS",
    text: ({ difference }) =>
      `its clock is ${difference} NATS's; failures count all the same, but set it right, ` +
      "and see timedatectl",
  }),

  "offences-too-old": declare<{ count: number; age: string }>({
    severity: "high",
    title: "a host's failures arrive too late to ban",
    text: ({ count, age }) =>
      `${count} offences were over before they could be banned, the last one was ` +
      `${age} old when it arrived: its log may be of another time zone ` +
      "(set timezone: of the source), its clock may be wrong, or its agent was away for as long",
  }),

  "bans-held": declare<{ count: number; reason: string }>({
    severity: "high",
    title: "automatic bans are held",
    text: ({ count, reason }) =>
      `its failures have caused ${count === 1 ? "1 ban that is" : `${count} bans that are`} held, in ` +
      `force nowhere or on a few hosts alone: ${reason}; fleetban ban list --held shows them, ban release puts them into ` +
      "force, ban discard drops them; where the host lies: fleetban host quarantine",
  }),
  quarantined: declare<{ since: number; by: string }>({
    severity: "medium",
    title: "a host is in quarantine",
    text: ({ since, by }) =>
      `it is in quarantine since ${new Date(since).toISOString()} (${by}): its failures do not ` +
      "count; fleetban host quarantine --undo ends that",
  }),

  // NATS, PostgreSQL and the coordinator itself.
  "offences-not-decided": declare<{ count: number }>({
    severity: "medium",
    title: "offences were over before a coordinator decided",
    text: ({ count }) =>
      `${count} offences were over before a ban could be written: no coordinator was at work, or ` +
      "NATS took no ban, for longer than their bantime; a second coordinator takes over in seconds",
  }),
  "policy-refused": declare<{ coordinator: string; reason: string }>({
    severity: "medium",
    title: "a changed coordinator.yaml is refused",
    text: ({ coordinator, reason }) =>
      `coordinator ${coordinator} has refused its changed coordinator.yaml and goes on with the ` +
      "policy that it has; a restart would fail: correct the file (fleetban-coordinator check " +
      `names every fault), then fleetban jail reload. ${reason}`,
  }),
  "jail-paused": declare<{ jail: string; since: number; until: number | null; by: string }>({
    severity: "medium",
    title: "a jail is paused",
    text: ({ jail, since, until, by }) =>
      `jail ${jail} is paused since ${new Date(since).toISOString()} by ${by}` +
      `${until === null ? "" : `, until ${new Date(until).toISOString()}`}: it bans nobody new, and ` +
      `bans in force stay; fleetban jail resume ${jail} ends that`,
  }),
  "jail-setting-idle": declare<{
    jail: string;
    option: string;
    value: string;
    by: string;
    reason: string;
  }>({
    severity: "medium",
    title: "what an operator has set of a jail does not fit coordinator.yaml",
    text: ({ jail, option, value, by, reason }) =>
      `${option} ${value.slice(0, 60)} of jail ${jail}, set by ${by}, changes nothing: ${reason}; correct ` +
      `coordinator.yaml, or take it back with fleetban jail unset ${jail} ${option}`,
  }),
  "allowed-name": declare<{ name: string; reason: string }>({
    severity: "medium",
    title: "a host name of the allowlist cannot be used",
    text: ({ name, reason }) =>
      `host name ${name} of the allowlist: ${reason}; the addresses that it had stay allowed: ` +
      "correct the name in coordinator.yaml, or what the name service says of it",
  }),
  clock: declare<{ difference: string }>({
    severity: "high",
    title: "the coordinator's clock differs from NATS",
    text: ({ difference }) =>
      `the coordinator's clock is ${difference} NATS's: bans end too early or never begin; ` +
      "set it right, and see timedatectl",
  }),
  "nats-stores-nothing": declare<{ reason: string }>({
    severity: "high",
    title: "NATS stores nothing",
    text: ({ reason }) =>
      `NATS stores nothing now: ${reason}; ` +
      "look for room on its disk and under its max_file_store, then restart it; where NATS refuses " +
      "it, make the coordinator's credentials anew with fleetban key coordinator NAME --renew",
  }),
  "no-decider": declare({
    severity: "high",
    title: "no coordinator decides",
    text: () => "no coordinator holds the lease: nobody decides on bans; start a coordinator",
  }),
  "decisions-late": declare<{ coordinator: string; since: number }>({
    severity: "high",
    title: "the decider does not come to the end of the failures",
    text: ({ coordinator, since }) =>
      `coordinator ${coordinator} holds the lease, and has not decided about all failures since ` +
      `${new Date(since).toISOString()}: it cannot read them, cannot write bans, or there are very many; ` +
      "see its log, and fleetban-coordinator check there; where another coordinator runs, stop this one",
  }),
  "postgres-away": declare<{ waiting: string }>({
    severity: "medium",
    title: "PostgreSQL cannot be reached",
    text: ({ waiting }) =>
      `PostgreSQL cannot be reached: bans go on, ${waiting}; is it running, and database.url right? ` +
      "fleetban-coordinator check tries it",
  }),
  "postgres-stalled": declare<{ reason: string; waiting: string }>({
    severity: "medium",
    title: "PostgreSQL records nothing",
    text: ({ reason, waiting }) =>
      `PostgreSQL records nothing now: ${reason}; bans go on, ${waiting}; put that right in ` +
      "PostgreSQL, and the coordinator records what waits",
  }),
  "sink-fails": declare<{ sink: string; tries: number; since: number; reason: string }>({
    severity: "medium",
    title: "a sink does not take notifications",
    text: ({ sink, tries, since, reason }) =>
      `sink ${sink} does not take notifications since ${new Date(since).toISOString()} ` +
      `(${tries} tries): ${reason}; they wait for three days: see fleetban notify list, and ` +
      `fleetban notify test ${sink}`,
  }),
  "sink-off": declare<{ sink: string; reason: string }>({
    severity: "medium",
    title: "a sink is switched off",
    text: ({ sink, reason }) =>
      `sink ${sink} is switched off, its receiver wants no more: ${reason}; correct or remove the ` +
      `sink in coordinator.yaml, or switch it on again with fleetban notify resend ${sink}`,
  }),
  "notifications-wait": declare<{ reason: string }>({
    severity: "medium",
    title: "no notifications are sent",
    text: ({ reason }) =>
      `no notifications are sent: ${reason}; where NATS refuses it, make the coordinator's ` +
      "credentials anew with fleetban key coordinator NAME --renew",
  }),
  "not-restored": declare({
    severity: "medium",
    title: "the bans bucket is not declared complete",
    text: () => "the bans bucket is not declared complete: agents add bans, but remove none",
  }),
  streams: declare<{ fault: string }>({
    severity: "medium",
    title: "a stream of NATS is not as it should be",
    text: ({ fault }) => `NATS: ${fault}`,
  }),
  "credentials-expire": declare<Expiry & { name: string }>({
    severity: expirySeverity,
    title: "credentials expire soon",
    text: (expiry) =>
      `the NATS credentials of ${expiry.name} ${describeExpiry(expiry)}: ` +
      "bring new ones, fleetban key makes them with --renew",
  }),
  "server-certificate-expires": declare<Expiry>({
    severity: expirySeverity,
    title: "the NATS server's certificate expires soon",
    text: (expiry) =>
      `the days of the NATS server's certificate ${describeExpiry(expiry)}: ` +
      "fleetban key server NAME --renew makes a new one",
  }),
} as const;

export type WarningCode = keyof typeof WARNINGS;
type FactsOf<Code extends WarningCode> = Parameters<(typeof WARNINGS)[Code]["text"]>[0];
/** What the text of a warning is made of. */
export type WarningFacts<Code extends WarningCode> = NonNullable<FactsOf<Code>>;

/** The warning of this code, its text made of `facts`. `subject`: see `Warning`. */
export function warn<Code extends WarningCode>(
  code: Code,
  ...[facts, subject]: undefined extends FactsOf<Code>
    ? []
    : [facts: FactsOf<Code>, subject?: string]
): Warning {
  // The compiler cannot tell that the facts of one code fit the declaration of that code.
  const { severity, text } = WARNINGS[code] as Declaration<unknown>;
  const made = {
    code,
    severity: typeof severity === "function" ? severity(facts) : severity,
    text: text(facts).slice(0, MAX_TEXT_LENGTH),
  };
  return subject === undefined ? made : { ...made, subject };
}
