/** Entries of a list of addresses, whichever format they were read from. */
import { parseNetwork, type Address } from "../../wire/address.ts";

export interface ListEntry {
  address: Address;
  /** The jail that the list names. */
  jail?: string;
  /** The entry ends this many seconds from now on, or at the instant `until`; null: never. */
  seconds?: number | null;
  until?: number | null;
  /** Why it is banned, or whose address it is. */
  reason?: string;
  label?: string;
}

/** A part of a list that is no entry. */
export interface ListFault {
  /** "line 3", "entry 5". */
  where: string;
  /** What stands there and what was expected. */
  reason: string;
}

export interface ParsedList {
  entries: ListEntry[];
  faults: ListFault[];
  /** Entries that are no bans in force, such as a captcha or a ban that has ended. */
  passedOver: number;
}

export const LIST_FORMATS = ["plain", "csv", "json", "fail2ban", "cscli"] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** The longest text that is stored with an entry. */
const LONGEST_TEXT = 256;

/** A row of a CSV file or an object of a JSON document; names in lower case. */
export type Fields = Readonly<Record<string, unknown>>;

/** "fault": it is no entry; "passed-over": it is none that counts. */
export type ReadEntry =
  | { type: "entry"; entry: ListEntry }
  | { type: "passed-over" }
  | { type: "fault"; reason: string };

/** Of each idea, the names that programs have for it. */
const NAMES = {
  address: ["address", "ip", "value", "network", "cidr", "range"],
  jail: ["jail"],
  reason: ["reason", "scenario", "comment"],
  label: ["label"],
  until: ["until", "expires"],
  duration: ["seconds", "duration", "bantime", "expiration"],
} as const;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

function textOf(fields: Fields, idea: keyof typeof NAMES): string | undefined {
  for (const name of NAMES[idea]) {
    const value = fields[name];
    if (isText(value)) return value;
    if (typeof value === "number") return String(value);
  }
  return undefined;
}

/** Is it one of the names of an address? */
export const namesAddress = (name: string): boolean =>
  (NAMES.address as readonly string[]).includes(name);

/** Reads an entry of CSV or JSON. */
export function readEntry(fields: Fields, now: number): ReadEntry {
  if (!isBan(fields)) return { type: "passed-over" };
  const spelled = textOf(fields, "address");
  const address = spelled === undefined ? undefined : parseListed(spelled);
  if (address === undefined) return { type: "fault", reason: expectedAddress(spelled) };
  const end = endOf(fields, now);
  if (end === "over") return { type: "passed-over" };
  if (typeof end === "string") return { type: "fault", reason: end };
  const [jail, reason, label] = [
    textOf(fields, "jail"),
    textOf(fields, "reason"),
    textOf(fields, "label"),
  ];
  const entry: ListEntry = {
    ...{ address, ...end },
    ...(jail !== undefined && { jail }),
    ...(reason !== undefined && { reason: reason.slice(0, LONGEST_TEXT) }),
    ...(label !== undefined && { label: label.slice(0, LONGEST_TEXT) }),
  };
  return { type: "entry", entry };
}

/** CrowdSec lists captchas, user names and simulated decisions, fleetban bans that are not in force. */
function isBan(fields: Fields): boolean {
  const action = fields["action"] ?? fields["type"];
  const scope = fields["scope"];
  const state = fields["state"];
  return (
    (!isText(action) || action === "ban") &&
    (!isText(scope) || /^(?:ip|range)$/i.test(scope)) &&
    (!isText(state) || state === "active") &&
    fields["simulated"] !== true &&
    fields["simulated"] !== "true" &&
    !/^(?!ip:|range:)[a-z]+:[^:]*$/i.test(textOf(fields, "address") ?? "")
  );
}

/** "192.0.2.1", "Ip:192.0.2.1" as cscli writes it. */
function parseListed(text: string): Address | undefined {
  return parseNetwork(text.trim().replace(/^(?:ip|range):/i, ""));
}

const SHOWN = 60;

export function expectedAddress(text: string | undefined): string {
  const expected = "expected an IPv4 or IPv6 address or network such as 198.51.100.0/24";
  return text === undefined
    ? `${expected}, got none`
    : `${JSON.stringify(text.slice(0, SHOWN))}: ${expected}`;
}

type End = Pick<ListEntry, "seconds" | "until">;

/** A text says what is wrong, but for "over". */
function endOf(fields: Fields, now: number): End | "over" | (string & {}) {
  if (fields["until"] === null) return { until: null };
  const until = textOf(fields, "until");
  if (until !== undefined) return readInstant(until, now);
  const duration = textOf(fields, "duration");
  return duration === undefined ? {} : readLength(duration);
}

function readInstant(text: string, now: number): End | "over" | (string & {}) {
  if (text === "-" || text === "") return {};
  if (text === "never" || text === "for ever") return { until: null };
  const at = Date.parse(text);
  const expected = "expected an instant such as 2026-11-24T12:00:00Z, or never";
  if (Number.isNaN(at)) return `${JSON.stringify(text.slice(0, SHOWN))}: ${expected}`;
  return at <= now ? "over" : { until: at };
}

/** Seconds of each unit of Go's durations, as cscli writes them: "3h59m57.9s", "948.2ms". */
const GO_UNITS: Readonly<Record<string, number>> = {
  ...{ d: 86_400, h: 3_600, m: 60, s: 1 },
  ...{ ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 },
};

function readLength(text: string): End | "over" | (string & {}) {
  if (text === "-1") return { seconds: null };
  if (/^\d+(?:\.\d+)?$/.test(text)) return secondsOf(Number(text));
  if (/^-\d/.test(text)) return "over";
  if (!/^(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|[dhms])\s*)+$/.test(text)) {
    const expected = 'expected a duration such as "20m" or 1200, or -1 for ever';
    return `${JSON.stringify(text.slice(0, SHOWN))}: ${expected}`;
  }
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])/g);
  return secondsOf(
    [...parts].reduce(
      (sum, [, number, unit = ""]) => sum + Number(number) * (GO_UNITS[unit] ?? 0),
      0,
    ),
  );
}

const secondsOf = (seconds: number): End | "over" =>
  seconds > 0 ? { seconds: Math.ceil(seconds) } : "over";
