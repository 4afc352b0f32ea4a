/** What fail2ban's tags stand for in an expression, in RE2's syntax. */

export interface RefusedTag {
  refused: string;
}

const IP4 = String.raw`(?:::f{4,6}:)?(?P<ip4>(?:[0-9]{1,3}\.){3}[0-9]{1,3})`;
/** Wide, as it only finds where an address may be: what it found is then read as one. */
const IP6 = String.raw`(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|:)?)`;
const DNS = String.raw`(?P<dns>[\w\-.^]*\w)`;
const CIDR = "(?P<cidr>[0-9]+)";
const ADDR = String.raw`\[?(?:${IP4}|${IP6})\]?`;
const SEVERAL_LINES = "a failure that several lines tell together is not carried over";

/** Tags by their names between < and >. */
export const TAGS: Readonly<Record<string, string | RefusedTag>> = {
  HOST: `(?:${ADDR}|${DNS})`,
  ADDR,
  "F-ADDR/": ADDR,
  IP4,
  "F-IP4/": IP4,
  IP6,
  "F-IP6/": IP6,
  DNS,
  "F-DNS/": DNS,
  CIDR,
  "F-CIDR/": CIDR,
  SUBNET: String.raw`\[?(?:${IP4}|${IP6})(?:/${CIDR})?\]?`,
  "F-SUBNET/": String.raw`\[?(?:${IP4}|${IP6})(?:/${CIDR})?\]?`,
  "F-ID/": { refused: "only addresses are banned" },
  "F-PORT/": String.raw`(?P<fport>\w+)`,
  SKIPLINES: { refused: SEVERAL_LINES },
  "F-NOFAIL": { refused: SEVERAL_LINES },
  "F-MLFFORGET": { refused: SEVERAL_LINES },
  "F-MLFGAINED": { refused: SEVERAL_LINES },
  "F-ID": { refused: "only addresses are banned" },
};

/** `<F-USER>` and `</F-USER>`: a group with a name; undefined: no tag of fail2ban's. */
export function openTag(name: string): string | undefined {
  const match = /^(\/?)F-([A-Z0-9_-]+)$/.exec(name);
  if (!match) return undefined;
  return match[1] === "/" ? ")" : `(?P<${(match[2] ?? "").toLowerCase().replaceAll("-", "_")}>`;
}
