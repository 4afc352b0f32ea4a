/** Writes a list of addresses in the formats of other programs. */
import { familyOf, isNetwork, prefixOf, type Address } from "../../wire/address.ts";
import { spellInstant } from "../../wire/instants.ts";
import { aggregate } from "./aggregate.ts";
import { writeCsvRow } from "./csv.ts";

export const WRITTEN_FORMATS = [
  ...["plain", "cidr", "csv", "json", "fail2ban", "cscli"],
  ...["nginx", "haproxy", "postscreen", "mikrotik"],
] as const;
export type WrittenFormat = (typeof WRITTEN_FORMATS)[number];

/** An entry that is written; what it does not have is left out. */
export interface WrittenEntry {
  address: Address;
  jail?: string;
  /** When it began, or was added. */
  since: number;
  /** null: it does not end. */
  until: number | null;
  by: string;
  reason: string;
  label?: string;
}

export interface WriteOptions {
  format: Exclude<WrittenFormat, "json">;
  /** Bans are denied, entries of the allowlist allowed. */
  kind: "bans" | "allowed";
  aggregates: boolean;
  now: number;
}

/** Formats that keep more than addresses: several entries cannot become one network. */
const DETAILED: ReadonlySet<WrittenFormat> = new Set(["csv", "json", "fail2ban", "cscli"]);
export const canAggregate = (format: WrittenFormat): boolean => !DETAILED.has(format);

/** The lines of the whole list. */
export function writeList(entries: readonly WrittenEntry[], options: WriteOptions): string[] {
  const { format, aggregates, now } = options;
  switch (format) {
    case "csv":
      return writeCsv(entries, options.kind);
    case "fail2ban":
      return [writeFail2ban(entries)];
    case "cscli":
      return writeCscli(entries, now);
    case "mikrotik":
      return writeMikrotik(entries, options);
    case "plain":
    case "cidr":
    case "nginx":
    case "haproxy":
    case "postscreen": {
      const all = new Set(entries.map(({ address }) => address));
      const addresses = aggregates ? aggregate(all) : [...all];
      return addresses.map((address) => writeBare(address, format, options.kind));
    }
  }
}

const CIDR = (address: Address) =>
  isNetwork(address) ? address : `${address}/${prefixOf(address)}`;

function writeBare(address: Address, format: string, kind: WriteOptions["kind"]): string {
  const isBan = kind === "bans";
  switch (format) {
    case "cidr":
      return CIDR(address);
    case "nginx":
      return `${isBan ? "deny" : "allow"} ${address};`;
    case "postscreen": // cidr_table(5), postscreen_access_list
      return `${CIDR(address)} ${isBan ? "reject" : "permit"}`;
    default: // haproxy reads one address or network per line (acl -f)
      return address;
  }
}

/** `ban import` and `allow import` read it again. */
function writeCsv(entries: readonly WrittenEntry[], kind: WriteOptions["kind"]): string[] {
  const head =
    kind === "bans"
      ? ["address", "jail", "since", "until", "by", "reason"]
      : ["address", "jail", "since", "until", "by", "label", "reason"];
  const rows = entries.map((entry) => {
    const { address, jail = "", since, until, by, label = "", reason } = entry;
    const [from, to] = [spellInstant(since), until === null ? "never" : spellInstant(until)];
    return kind === "bans"
      ? [address, jail, from, to, by, reason]
      : [address, jail, from, to, by, label, reason];
  });
  return [head, ...rows].map(writeCsvRow);
}

/** As `fail2ban-client banned` prints it: a list in Python's spelling. */
function writeFail2ban(entries: readonly WrittenEntry[]): string {
  const byJail = new Map<string, string[]>();
  for (const { jail = "", address } of entries) {
    const list = byJail.get(jail);
    if (list) list.push(`'${address}'`);
    else byJail.set(jail, [`'${address}'`]);
  }
  return `[${[...byJail].map(([jail, list]) => `{'${jail}': [${list.join(", ")}]}`).join(", ")}]`;
}

/** CrowdSec knows no ban without an end: a hundred years stand for it. */
const FOR_EVER_SECONDS = 100 * 31_557_600;

/** What `cscli decisions import` reads. */
function writeCscli(entries: readonly WrittenEntry[], now: number): string[] {
  const rows = entries.map(({ address, until, reason }) => {
    const seconds = until === null ? FOR_EVER_SECONDS : Math.max(1, secondsLeft(until, now));
    const scope = isNetwork(address) ? "range" : "ip";
    return JSON.stringify({ duration: `${seconds}s`, reason, scope, type: "ban", value: address });
  });
  return ["[", ...rows.map((row, index) => (index < rows.length - 1 ? `${row},` : row)), "]"];
}

const secondsLeft = (until: number, now: number) => Math.ceil((until - now) / 1000);

/** A script of RouterOS that replaces its list of this name. */
function writeMikrotik(
  entries: readonly WrittenEntry[],
  { kind, aggregates, now }: WriteOptions,
): string[] {
  const list = kind === "bans" ? "fleetban" : "fleetban-allowed";
  /** Of several jails the longest ban counts; a network of several bans has no end of its own. */
  const ends = new Map<Address, number | null>();
  for (const { address, until } of entries) {
    const known = ends.get(address);
    const isLonger = known !== null && (until === null || until > (known ?? 0));
    if (isLonger) ends.set(address, until);
  }
  const addresses = aggregates ? aggregate(ends.keys()) : [...ends.keys()];
  return ([4, 6] as const).flatMap((family) => {
    const ofFamily = addresses.filter((address) => familyOf(address) === family);
    const path = family === 4 ? "/ip" : "/ipv6";
    return [
      `${path} firewall address-list`,
      `remove [find where list=${list}]`,
      ...ofFamily.map((address) => {
        const until = ends.get(address) ?? null;
        const timeout = until === null ? "" : ` timeout=${Math.max(1, secondsLeft(until, now))}s`;
        return `add list=${list} address=${address}${timeout}`;
      }),
    ];
  });
}
