/** `fleetban simulate`: who would have been banned, had this policy been in force; asks no server. */
import { Command, Option } from "commander";
import { formatDuration, parseDuration } from "../../config/duration.ts";
import { createLedger, type Ledger } from "../../detection/attempts/attempt-ledger.ts";
import { countedAs } from "../../policy/counted-network.ts";
import type { Address } from "../../wire/address.ts";
import { hostToken } from "../../wire/subjects.ts";
import { checksOf, UsageError } from "../arguments.ts";
import { addFilterOptions, readerOf, type FilterFlags } from "../explain/filter-options.ts";
import { mergeByTime, readFileLines, unreadable } from "../explain/input.ts";
import { settled } from "../explain/settled.ts";
import type { Output } from "../output.ts";
import { createProgress } from "../progress.ts";
import type { Cell } from "../table.ts";
import { formatInstant } from "../time.ts";
import { quote } from "../visible.ts";
import { createReplay, type Replay, type SimulatedPolicy } from "./replay.ts";

export interface SimulateOptions {
  output: Output;
  now: () => number;
}

interface PolicyFlags {
  maxretry: number;
  findtime: number;
  /** Infinity: for ever. */
  bantime: number;
  ipv4Prefix: number;
  ipv6Prefix: number;
}

interface Flags extends FilterFlags, PolicyFlags {
  host: [host: string, file: string][];
  json?: true;
}

/** Bans that the answer names; --json names them all. */
const SHOWN = 20;

export function simulateCommand({ output, now }: SimulateOptions): Command {
  const check = checksOf("simulate", output.note);
  const command = new Command("simulate")
    .description("say who would have been banned in a log; needs no server")
    .argument("[log...]", "logs of one host, in any order, also .gz")
    .addOption(
      new Option("--host <name=log>", "a log of another host; may be repeated")
        .argParser(addHost)
        .default([], "none"),
    )
    .option("--maxretry <number>", "so many failures", check.limit, 5)
    .addOption(
      new Option("--findtime <duration>", "within this time")
        .argParser(seconds)
        .default(1200, "20m"),
    )
    .addOption(
      new Option("--bantime <duration>", "are banned for so long; -1: for ever")
        .argParser(check.seconds)
        .default(1200, "20m"),
    )
    .addOption(
      new Option("--ipv4-prefix <bits>", "count and ban networks of this prefix; 32: addresses")
        .argParser((text) => prefix(text, { min: 8, max: 32 }))
        .default(32),
    )
    .addOption(
      new Option("--ipv6-prefix <bits>", "the same of IPv6; 128: addresses")
        .argParser((text) => prefix(text, { min: 32, max: 128 }))
        .default(64),
    )
    .option("--json", "print the answer as one JSON document")
    .addHelpText("after", MORE)
    .action(async (logs: string[], { host, json, ...flags }: Flags) => {
      const inputs = [...logs.map((log): [string, string] => ["this host", log]), ...host];
      if (inputs.length === 0)
        throw new UsageError("simulate: expected at least one log, got none");
      const { read, count } = readerOf("simulate", flags);
      const files = inputs.map(([, path]) => path);
      const progress = createProgress({ files, output, now });
      const hosts = new Map(inputs.map(([name, file]) => [file, name]));
      const replays = policiesOf(policyOf(flags)).map(createReplay);
      const successes = new Set<Address>();
      const ledgers = new Map<string, Ledger>();
      let attempts = 0;
      try {
        const onBytes = progress.advance;
        const lines = mergeByTime(files.map((path) => readFileLines(path, { read, onBytes })));
        const each = settled(lines, (line) => {
          const name = hosts.get(line.file) ?? "";
          let ledger = ledgers.get(name);
          if (!ledger) {
            ledger = createLedger({ mode: "normal", canWait: true });
            ledgers.set(name, ledger);
          }
          return count(line, ledger, now());
        });
        for await (const { line, counted } of each) {
          const { file, reading } = line;
          const name = hosts.get(file) ?? "";
          if (reading.verdict === "success" && reading.address) successes.add(reading.address);
          if (!counted) continue;
          attempts += counted.attempts;
          for (const replay of replays) {
            replay.fail(name, counted.address, counted.at, counted.attempts);
          }
        }
      } catch (error) {
        throw unreadable("simulate", error);
      } finally {
        progress.done();
      }
      const facts = { attempts, hosts: new Set(hosts.values()).size, successes };
      if (json) await output.jsonLine(describe(replays, facts));
      else tell(replays, facts, output);
    });
  return addFilterOptions(command);
}

interface Facts {
  attempts: number;
  hosts: number;
  /** Addresses from which somebody has logged in. */
  successes: ReadonlySet<Address>;
}

function policyOf(flags: PolicyFlags): Omit<SimulatedPolicy, "scope"> {
  const { maxretry, findtime, bantime, ipv4Prefix, ipv6Prefix } = flags;
  return {
    maxretry,
    findtime,
    bantime: bantime === Infinity ? null : bantime,
    ipv4_prefix: ipv4Prefix,
    ipv6_prefix: ipv6Prefix,
  };
}

/** The policy that was asked for comes first; beside it others, for comparison. */
function policiesOf(asked: Omit<SimulatedPolicy, "scope">): SimulatedPolicy[] {
  const fleet: SimulatedPolicy = { ...asked, scope: "fleet" };
  const others = [Math.ceil(asked.maxretry / 2), asked.maxretry * 2]
    .filter((maxretry) => maxretry !== asked.maxretry)
    .map((maxretry): SimulatedPolicy => ({ ...fleet, maxretry }));
  return [fleet, { ...asked, scope: "alone" }, ...others, { ...fleet, bantime: 86_400 }];
}

function addHost(text: string, before: [string, string][]): [string, string][] {
  const at = text.indexOf("=");
  const [name, file] = [hostToken(text.slice(0, Math.max(at, 0))), text.slice(at + 1)];
  if (name !== "" && file !== "") return [...before, [name, file]];
  throw new UsageError(
    `simulate: ${quote(text)}: expected a host and its log such as mx1=mail.log`,
  );
}

function seconds(text: string): number {
  const parsed = parseDuration(text);
  if (typeof parsed === "number" && parsed > 0) return parsed;
  throw new UsageError(`simulate: ${quote(text)}: expected a duration such as "20m" or 1200`);
}

/** The addresses and networks, as the policy counts them, from which somebody has logged in. */
const loggedInOf = ({ policy }: Replay, { successes }: Facts) =>
  new Set([...successes].map((address) => countedAs(address, policy)));

function summaryOf(replay: Replay, facts: Facts) {
  const { bans, prevented } = replay;
  const addresses = new Set(bans.map(({ address }) => address));
  const loggedIn = loggedInOf(replay, facts);
  const withLogin = [...addresses].filter((address) => loggedIn.has(address)).length;
  return { bans: bans.length, addresses: addresses.size, withLogin, prevented: prevented() };
}

function describe(replays: readonly Replay[], facts: Facts) {
  const [asked] = replays;
  const loggedIn = asked && loggedInOf(asked, facts);
  return {
    attempts: facts.attempts,
    hosts: facts.hosts,
    policies: replays.map((replay) => ({ ...replay.policy, ...summaryOf(replay, facts) })),
    bans: (asked?.bans ?? []).map(({ address, at, until, hosts, addresses }) => ({
      address,
      at: new Date(at).toISOString(),
      until: until === null ? null : new Date(until).toISOString(),
      hosts: Object.fromEntries(hosts),
      ...(addresses && { addresses: Object.fromEntries(addresses) }),
      hasLoggedIn: loggedIn?.has(address) ?? false,
    })),
  };
}

function tell(replays: readonly Replay[], facts: Facts, output: Output): void {
  const [asked] = replays;
  const bans = asked?.bans ?? [];
  const loggedIn = asked && loggedInOf(asked, facts);
  if (bans.length > 0) {
    output.table([
      ["BANNED AT", "ADDRESS", "FAILURES", "LOGGED IN"],
      ...bans
        .slice(0, SHOWN)
        .map(({ at, address, hosts }): Cell[] => [
          formatInstant(at),
          address,
          [...hosts].map(([host, count]) => `${host} ${count}`).join(", "),
          loggedIn?.has(address) ? { text: "yes", color: "yellow" } : "no",
        ]),
    ]);
    if (bans.length > SHOWN) output.note(`${bans.length - SHOWN} more bans; --json names them all`);
    output.line("");
  }
  output.line(
    `${facts.attempts} failed attempts on ${facts.hosts === 1 ? "1 host" : `${facts.hosts} hosts`}`,
  );
  output.line("");
  output.table([
    ["POLICY", "BANS", "ADDRESSES", "WITH A LOGIN", "ATTEMPTS PREVENTED"],
    ...replays.map((replay) => {
      const { bans: count, addresses, withLogin, prevented } = summaryOf(replay, facts);
      return [spell(replay.policy), ...[count, addresses, withLogin, prevented].map(String)];
    }),
  ]);
}

function prefix(text: string, { min, max }: { min: number; max: number }): number {
  const bits = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (bits >= min && bits <= max) return bits;
  throw new UsageError(`simulate: ${quote(text)}: expected a prefix of ${min} to ${max} bits`);
}

function spell({ maxretry, findtime, bantime, scope }: SimulatedPolicy): string {
  const punished = bantime === null ? "for ever" : `for ${formatDuration(bantime)}`;
  const where = scope === "fleet" ? "all hosts together" : "each host alone";
  return `${maxretry} within ${formatDuration(findtime)}, ${punished}, ${where}`;
}

const MORE = `
The policy that is asked for comes first, then others to compare it with. WITH A LOGIN says
how many of the banned addresses had a successful login in the same logs: who they are is
worth a look before the policy is put in force.

Examples:
  fleetban simulate /var/log/mail.log*
  fleetban simulate --host mx1=mx1.log --host mx2=mx2.log --maxretry 3
`;
