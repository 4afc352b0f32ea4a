/** A filter table of iptables, as `iptables -S` prints it, and what its rules do with a packet. */

export interface Table {
  /** Chains that users have made. */
  chains: ReadonlySet<string>;
  /** INPUT, FORWARD, OUTPUT. */
  builtIn: ReadonlySet<string>;
  /** By chain, without its name. */
  rules: ReadonlyMap<string, readonly string[]>;
}

/** Lines such as "-P CHAIN ACCEPT", "-N CHAIN", "-A CHAIN RULE". */
export function parseTable(text: string): Table {
  const chains = new Set<string>();
  const builtIn = new Set<string>();
  const rules = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, kind, chain = "", rule = ""] = /^-([PNA]) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === "P") builtIn.add(chain);
    if (kind === "N") chains.add(chain);
    if (kind !== "A") continue;
    const inChain = rules.get(chain);
    if (inChain) inChain.push(rule);
    else rules.set(chain, [rule]);
  }
  return { chains, builtIn, rules };
}

export function rulesIn(table: Table, chain: string): readonly string[] {
  return table.rules.get(chain) ?? [];
}

export function hasChain(chain: string, { builtIn, chains }: Table): boolean {
  return builtIn.has(chain) || chains.has(chain);
}

/** Words of a rule; iptables puts those with spaces, comments for instance, into quotes. */
function wordsOf(rule: string): string[] {
  return [...rule.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) => word);
}

const isBare = (word: string) => !word.startsWith('"');

/** Where a rule sends the packets that it matches; undefined: it only counts them. */
export function targetOf(rule: string): { how: "-j" | "-g"; name: string } | undefined {
  // Another program's chain may have ten thousand rules: the quick way where nothing is quoted.
  const bare = rule.includes('"') ? wordsOf(rule).filter(isBare).join(" ") : rule;
  const [, how, name] = /(?:^| )(-[jg]) (\S+)/.exec(bare) ?? [];
  if (name === undefined) return undefined;
  return { how: how === "-g" ? "-g" : "-j", name };
}

/** Targets behind which a packet is gone, or goes on to the next rule. */
const HARMLESS: ReadonlySet<string> = new Set(
  (
    "DROP REJECT TARPIT LOG NFLOG ULOG AUDIT TRACE MARK CONNMARK SECMARK CONNSECMARK CLASSIFY " +
    "TCPMSS TCPOPTSTRIP DSCP TOS TTL HL ECN CHECKSUM SET TEE RATEEST LED IDLETIMER HMARK"
  ).split(" "),
);

/**
 * Whether a packet that must be dropped may get past what follows `rule` in its chain: because the
 * rule accepts it, leaves the chain, or hands it to somebody else. What cannot be told is a yes.
 */
export function canLetThrough(rule: string, table: Table, reach: Reach): boolean {
  const target = targetOf(rule);
  if (target === undefined || HARMLESS.has(target.name) || isElsewhere(rule, reach)) return false;
  if (target.how === "-g" || !table.chains.has(target.name)) return true;
  // A chain that is called returns to the next rule; RETURN in it does no more than that.
  return rulesIn(table, target.name).some(
    (inner) => targetOf(inner)?.name !== "RETURN" && canLetThrough(inner, table, reach),
  );
}

/** Whether the rule can only refuse, in a chain of its owner: fail2ban's and mailcow's jumps. */
export function isHarmlessJump(rule: string, table: Table, reach: Reach): boolean {
  const name = targetOf(rule)?.name;
  return name !== undefined && table.chains.has(name) && !canLetThrough(rule, table, reach);
}

/** Which packets matter. */
export interface Reach {
  /** tcp: no jail closes anything else. */
  protocols: "tcp" | "all";
  /** strangers: not those that only come by a virtual interface or from, or to, named networks. */
  from: "anywhere" | "strangers";
}

/** Interfaces by which nobody comes from the internet. */
const VIRTUAL = /^(?:lo|virbr|docker|br-|veth|wg|tun|tap|tailscale|cni|lxc|lxd|podman|cali)/;

/** Whether none of the packets that matter match the rule. */
function isElsewhere(rule: string, { protocols, from }: Reach): boolean {
  const words = wordsOf(rule);
  const isNegated = (at: number) => words[at - 1] === "!";
  return words.some((word, at) => {
    const value = words[at + 1] ?? "";
    if (isNegated(at)) return false;
    if (word === "-i" && value === "lo") return true;
    if (word === "-p" && protocols === "tcp") return value !== "tcp" && value !== "all";
    if (from === "anywhere") return false;
    if (word === "-i" || word === "-o") return VIRTUAL.test(value);
    if (word === "--ctstate" || word === "--state") return !value.split(",").includes("NEW");
    return word === "-s" || word === "-d";
  });
}

/**
 * Why packets do not come to `chain`, or past it; undefined: all do. Asked for chains of users: to INPUT
 * and FORWARD they come by themselves.
 */
export function whyBypassed(chain: string, table: Table, reach: Reach): string | undefined {
  if (table.builtIn.has(chain)) return undefined;
  let reason = `no rule leads to chain ${chain}: take it out of firewall.chains`;
  for (const [caller, rules] of table.rules) {
    const at = rules.findIndex((rule) => targetOf(rule)?.name === chain);
    if (at < 0) continue;
    const before = rules
      .slice(0, at)
      .find((rule) => canLetThrough(rule, table, { ...reach, from: "strangers" }));
    const why =
      before === undefined
        ? whyBypassed(caller, table, reach)
        : `in ${caller}, "${before}" stands before the rule that leads to ${chain}: name ${caller} in firewall.chains in its place`;
    if (why === undefined) return undefined;
    reason = why;
  }
  return reason;
}

/** Whether what is forwarded comes to `chain`. */
export function isForwardChain(chain: string, table: Table): boolean {
  if (chain === "FORWARD") return true;
  return [...table.rules].some(
    ([caller, rules]) =>
      caller !== chain &&
      rules.some((rule) => targetOf(rule)?.name === chain) &&
      isForwardChain(caller, table),
  );
}
