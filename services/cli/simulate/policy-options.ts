/** The options of `fleetban simulate` that say which policy is tried, with coordinator.yaml's names. */
import { Command, Option } from "commander";
import { formatDuration, parseDuration } from "../../config/duration.ts";
import { HOST_PATTERN } from "../../wire/host-pattern.ts";
import type { Jail } from "../../wire/settings.ts";
import { UsageError } from "../arguments.ts";
import { quote } from "../visible.ts";
import type { SimulatedPolicy } from "../../policy/replay.ts";

/** What commander makes of the options; Infinity: for ever. */
export interface PolicyFlags {
  maxretry: number;
  findtime: number;
  bantime: number;
  ipv4Prefix: number;
  ipv6Prefix: number;
  "bantime.increment"?: true;
  "bantime.factor": number;
  "bantime.multipliers": number[];
  "bantime.maxtime"?: number;
  "bantime.rndtime"?: number;
  dbpurgeage: number;
  users?: number;
  domains?: number;
  minhosts?: number;
  quorum?: "strict" | "local-first";
  hosts?: string[];
  shadow?: true;
  decoys?: string[];
  knownGoodFactor?: number;
  knownGoodWithin: number;
  network?: true;
  "network.prefix4": number;
  "network.prefix6": number;
  "network.addresses": number;
  "network.findtime": number;
  recidive?: true;
  "recidive.maxretry": number;
  "recidive.findtime": number;
  "recidive.bantime": number;
}

/** The checks of the command line that the options need. */
interface Checks {
  limit: (text: string) => number;
  seconds: (text: string) => number;
}

export function addPolicyOptions(command: Command, check: Checks): Command {
  const options: readonly [flags: string, about: string, ...rest: Parsed][] = [
    ["--maxretry <number>", "so many failures", check.limit, 5, "5"],
    ["--findtime <duration>", "within this time", seconds, 1200, "20m"],
    ["--bantime <duration>", "are banned for so long; -1: for ever", check.seconds, 1200, "20m"],
    ["--ipv4-prefix <bits>", "count and ban networks of this prefix", prefix(8, 32), 32, "32"],
    ["--ipv6-prefix <bits>", "the same of IPv6; 128: single addresses", prefix(32, 128), 64, "64"],
    ["--bantime.factor <number>", "of bans that grow", factor, 1, "1"],
    ["--bantime.multipliers <list>", 'of bans that grow: "1 5 30"', factors, [], "1 2 4 8 16 ..."],
    ["--dbpurgeage <duration>", "earlier bans count so long", seconds, 86_400, "1d"],
    ["--known-good-within <duration>", "of --known-good-factor", within, WITHIN, "7d"],
    ["--network.addresses <number>", "of network: so many addresses", check.limit, 5, "5"],
    ["--network.findtime <duration>", "banned within this time", seconds, 3600, "1h"],
    ["--network.prefix4 <bits>", "ban all of an IPv4 network", prefix(8, 31), 24, "24"],
    ["--network.prefix6 <bits>", "the same of IPv6", prefix(32, 127), 48, "48"],
    ["--recidive.maxretry <number>", "of recidive: so many bans", check.limit, 5, "5"],
    ["--recidive.findtime <duration>", "within this time", seconds, 86_400, "1d"],
    ["--recidive.bantime <duration>", "ban for so long", check.seconds, 604_800, "1w"],
  ];
  for (const [flags, about, parse, value, shown] of options) {
    command.addOption(new Option(flags, about).argParser<unknown>(parse).default(value, shown));
  }
  return command
    .option("--bantime.increment", "who was banned before is banned for longer")
    .option("--bantime.maxtime <duration>", "bans do not grow beyond this", seconds)
    .option("--bantime.rndtime <duration>", "is added to bans that grow; half of it here", seconds)
    .option("--users <number>", "so many user names of an address are banned, too", check.limit)
    .option("--domains <number>", "user names of so many mail domains, too", check.limit)
    .option("--minhosts <number>", "only who failed on so many hosts is banned", check.limit)
    .addOption(
      new Option("--quorum <kind>", "of minhosts: no ban before, or one there alone").choices([
        "strict",
        "local-first",
      ]),
    )
    .option("--hosts <patterns>", 'only these hosts: "mx*,!mx9"', hostPatterns)
    .option("--shadow", "decide, and prevent nothing")
    .option("--decoys <names>", "user names that are banned at once: oracle,test@x.org", names)
    .option("--known-good-factor <number>", "addresses with a login need more failures", moreTimes)
    .option("--network", "ban networks of which several addresses are banned")
    .option("--recidive", "ban again who was banned several times");
}

/** Seconds: 7d. */
const WITHIN = 604_800;

/** What the options say where none is given. */
export function policyDefaults(check: Checks): PolicyFlags {
  return addPolicyOptions(new Command(), check).opts<PolicyFlags>();
}

type Parsed = [parse: (text: string) => unknown, value: unknown, shown: string];

export function policyOf(flags: PolicyFlags): Omit<SimulatedPolicy, "scope"> {
  const { maxretry, findtime, bantime, ipv4Prefix, ipv6Prefix, dbpurgeage } = flags;
  refuseIdle(flags);
  const jail: Jail = {
    ...{ v: 1, name: "simulated", ports: [], maxretry, findtime, bantime: orForEver(bantime) },
    ...{ ipv4_prefix: ipv4Prefix, ipv6_prefix: ipv6Prefix },
    ...(flags["bantime.increment"] && { increment: incrementOf(flags) }),
    ...(flags.users !== undefined && { users: flags.users }),
    ...(flags.domains !== undefined && { domains: flags.domains }),
    ...(flags.minhosts !== undefined && { minhosts: flags.minhosts }),
    ...(flags.quorum && { quorum: flags.quorum }),
    ...(flags.hosts && { hosts: flags.hosts }),
    ...(flags.shadow && { shadow: true }),
    ...(flags.decoys && { decoys: flags.decoys }),
    ...(flags.knownGoodFactor !== undefined && {
      knownGood: { factor: flags.knownGoodFactor, within: flags.knownGoodWithin },
    }),
    ...(flags.network && { network: networkOptions(flags) }),
  };
  const recidive: Jail = {
    ...{ v: 1, name: "recidive", ports: [], source: "bans" },
    ...{ maxretry: flags["recidive.maxretry"], findtime: flags["recidive.findtime"] },
    bantime: orForEver(flags["recidive.bantime"]),
  };
  return { jail, recidive: flags.recidive && recidive, dbpurgeage };
}

/** An option that changes nothing without another one is a slip. */
function refuseIdle(flags: PolicyFlags): void {
  const { "bantime.maxtime": maxtime, "bantime.rndtime": rndtime } = flags;
  const isGrowthGiven =
    (maxtime ?? rndtime) !== undefined ||
    flags["bantime.factor"] !== 1 ||
    flags["bantime.multipliers"].length > 0;
  if (isGrowthGiven && !flags["bantime.increment"]) {
    throw new UsageError("simulate: bans do not grow without --bantime.increment");
  }
  if (flags.quorum && flags.minhosts === undefined) {
    throw new UsageError("simulate: --quorum has no effect without --minhosts");
  }
  if (flags.knownGoodWithin !== WITHIN && flags.knownGoodFactor === undefined) {
    throw new UsageError("simulate: --known-good-within has no effect without --known-good-factor");
  }
}

const orForEver = (seconds: number) => (seconds === Infinity ? null : seconds);

function incrementOf(flags: PolicyFlags): NonNullable<Jail["increment"]> {
  const { "bantime.maxtime": maxtime, "bantime.rndtime": rndtime } = flags;
  return {
    factor: flags["bantime.factor"],
    multipliers: flags["bantime.multipliers"],
    overalljails: false,
    ...(maxtime !== undefined && { maxtime }),
    ...(rndtime !== undefined && { rndtime }),
  };
}

const networkOptions = (flags: PolicyFlags): NonNullable<Jail["network"]> => ({
  prefix4: flags["network.prefix4"],
  prefix6: flags["network.prefix6"],
  addresses: flags["network.addresses"],
  findtime: flags["network.findtime"],
});

/** As one row of the table: "5 within 20m, for 20m, all hosts together". */
export function describePolicy(policy: SimulatedPolicy): string {
  const { jail, recidive, scope, origin } = policy;
  const { maxretry, findtime, bantime, increment, network } = jail;
  const punished = bantime === null ? "for ever" : `for ${formatDuration(bantime)}`;
  const whose = { today: `today (jail ${jail.name}): `, default: "fleetban's default: " };
  return [
    `${origin ? whose[origin] : ""}${maxretry} within ${formatDuration(findtime)}`,
    increment ? `${punished} and longer` : punished,
    ...describeOptions(jail),
    ...(network ? ["networks"] : []),
    ...(recidive ? ["recidive"] : []),
    scope === "fleet" ? "all hosts together" : "each host alone",
  ].join(", ");
}

function describeOptions({ users, domains, knownGood, ...others }: Jail): string[] {
  const { minhosts, quorum, hosts, shadow } = others;
  return [
    ...(users === undefined ? [] : [`${users} users`]),
    ...(domains === undefined ? [] : [`${domains} domains`]),
    ...(knownGood ? [`known good ${knownGood.factor} times`] : []),
    ...(minhosts === undefined ? [] : [`${minhosts} hosts${quorum ? ` (${quorum})` : ""}`]),
    ...(hosts ? [hosts.join(" ")] : []),
    ...(shadow ? ["shadow"] : []),
  ];
}

function seconds(text: string): number {
  const parsed = parseDuration(text);
  if (typeof parsed === "number" && parsed > 0) return parsed;
  throw wrong(text, 'a duration such as "20m" or 1200');
}

const prefix =
  (min: number, max: number) =>
  (text: string): number => {
    const bits = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
    if (bits >= min && bits <= max) return bits;
    throw wrong(text, `a prefix of ${min} to ${max} bits`);
  };

function factor(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 0 && number < Infinity) return number;
  throw wrong(text, "a number above 0");
}

function moreTimes(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 1 && number <= 20) return number;
  throw wrong(text, "a number above 1, at most 20");
}

function within(text: string): number {
  const parsed = parseDuration(text);
  if (typeof parsed === "number" && parsed >= 3_600 && parsed <= 2_592_000) return parsed;
  throw wrong(text, "a duration of 1h to 30d");
}

const factors = (text: string): number[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(factor);

const hostPatterns = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((each) => each.replaceAll(".", "-"))
    .map((pattern) => {
      if (HOST_PATTERN.test(pattern)) return pattern;
      throw wrong(text, 'hosts such as "mx*,!mx9"');
    });

const names = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((name) => name.toLowerCase());

const wrong = (text: string, expected: string) =>
  new UsageError(`simulate: ${quote(text)}: expected ${expected}`);
