/**
 * `fleetban simulate`: replays logs, and shows whom a policy would have banned. It needs no server;
 * if a coordinator answers, the fleet's policy is shown beside.
 */
import { Command, Option } from "commander";
import { formatDuration } from "../../config/duration.ts";
import { createLedger, type Ledger } from "../../detection/attempts/attempt-ledger.ts";
import { networkAround } from "../../policy/banned-networks.ts";
import { countedAs } from "../../policy/counted-network.ts";
import {
  createReplay,
  type Replay,
  type SimulatedBan,
  type SimulatedPolicy,
} from "../../policy/replay.ts";
import type { Address } from "../../wire/address.ts";
import { hostToken } from "../../wire/subjects.ts";
import { checksOf, UsageError } from "../arguments.ts";
import {
  addFilterOptions,
  readerOf,
  type FilterFlags,
  type Reader,
} from "../explain/filter-options.ts";
import { mergeByTime, readFileLines, unreadable } from "../explain/input.ts";
import { settled } from "../explain/settled.ts";
import type { Ask } from "../client.ts";
import type { Output } from "../output.ts";
import { createProgress, describeMegabytes, sizeOfFiles } from "../progress.ts";
import type { Cell } from "../table.ts";
import { formatInstant, zoneOf } from "../time.ts";
import { quote } from "../visible.ts";
import { readTodaysPolicy } from "./todays-policy.ts";
import {
  addPolicyOptions,
  describePolicy,
  policyDefaults,
  policyOf,
  type PolicyFlags,
} from "./policy-options.ts";

export interface SimulateOptions {
  ask: Ask;
  output: Output;
  now: () => number;
}

interface Flags extends FilterFlags, PolicyFlags {
  host: [host: string, file: string][];
  today?: string;
  json?: true;
}

/** Bans that the answer names; --json names them all. */
const SHOWN = 20;

export function simulateCommand({ ask, output, now }: SimulateOptions): Command {
  const check = checksOf("simulate", output.note);
  const command = new Command("simulate")
    .description("say who would have been banned in a log; needs no server")
    .argument("[log...]", "logs of one host, in any order, also .gz")
    .addOption(
      new Option("--host <name=log>", "a log of another host; may be repeated")
        .argParser(addHost)
        .default([], "none"),
    )
    .option("--today <jail>", "compare with this jail of the fleet; none: ask no coordinator")
    .option("--json", "print the answer as one JSON document")
    .addHelpText("after", MORE)
    .action(async (logs: string[], { host, json, today: jail, ...flags }: Flags) => {
      const inputs = [...logs.map((log): [string, string] => ["this host", log]), ...host];
      if (inputs.length === 0)
        throw new UsageError("simulate: expected at least one log, got none");
      const understand = readerOf("simulate", flags);
      const defaults = policyDefaults(check);
      const today = await readTodaysPolicy({ ask, output }, jail, policyOf(defaults));
      const replays = policiesOf(policyOf(flags), today).map(createTrial);
      const facts = await replayLogs(inputs, replays, { understand, output, now });
      if (json) await output.jsonLine(describe(replays, facts));
      else tell(replays, facts, output);
    });
  return addFilterOptions(addPolicyOptions(command, check));
}

interface ReplayLogsOptions {
  /** How lines are read and counted. */
  understand: Reader;
  output: Output;
  now: () => number;
}

/** Gives the logins and failures of all logs to each policy, in the order of their time. */
async function replayLogs(
  inputs: readonly (readonly [host: string, file: string])[],
  replays: readonly Trial[],
  { understand: { read, count }, output, now }: ReplayLogsOptions,
): Promise<Facts> {
  const files = inputs.map(([, path]) => path);
  const hosts = new Map(inputs.map(([name, file]) => [file, name]));
  const progress = createProgress({
    ...{ total: sizeOfFiles(files), describe: describeMegabytes },
    ...{ output, now },
  });
  const successes = new Set<Address>();
  const ledgers = new Map<string, Ledger>();
  let attempts = 0;
  try {
    const onBytes = progress.advance;
    const lines = settled(
      mergeByTime(files.map((path) => readFileLines(path, { read, onBytes }))),
      {
        ledgerOf({ file }) {
          const name = hosts.get(file) ?? "";
          const ledger = ledgers.get(name) ?? createLedger({ mode: "normal", canWait: true });
          ledgers.set(name, ledger);
          return ledger;
        },
        count: (line, ledger) => count(line, ledger, now()),
      },
    );
    for await (const { line, counted } of lines) {
      const name = hosts.get(line.file) ?? "";
      const { verdict, address, at = now() } = line.reading;
      if (verdict === "success" && address !== undefined) {
        successes.add(address);
        for (const replay of replays) replay.login(name, address, at);
      }
      if (!counted) continue;
      attempts += counted.attempts;
      for (const replay of replays) replay.fail(name, counted);
    }
  } catch (error) {
    throw unreadable("simulate", error);
  } finally {
    progress.done();
  }
  return { attempts, hosts: new Set(hosts.values()).size, successes };
}

/** A policy that is tried, and the bans that it would have brought. */
interface Trial extends Replay {
  bans: readonly SimulatedBan[];
}

function createTrial(policy: SimulatedPolicy): Trial {
  const bans: SimulatedBan[] = [];
  return { ...createReplay({ policy, onBan: (ban) => bans.push(ban) }), bans };
}

interface Facts {
  attempts: number;
  hosts: number;
  /** Addresses from which somebody has logged in. */
  successes: ReadonlySet<Address>;
}

/** The policy that was asked for comes first; beside it today's and others, for comparison. */
function policiesOf(
  asked: Omit<SimulatedPolicy, "scope">,
  today: SimulatedPolicy,
): SimulatedPolicy[] {
  const fleet: SimulatedPolicy = { ...asked, scope: "fleet" };
  const { jail } = asked;
  const others = [Math.ceil(jail.maxretry / 2), jail.maxretry * 2]
    .filter((maxretry) => maxretry !== jail.maxretry)
    .map((maxretry): SimulatedPolicy => ({ ...fleet, jail: { ...jail, maxretry } }));
  const day: SimulatedPolicy = { ...fleet, jail: { ...jail, bantime: 86_400 } };
  const { knownGood, ...strict } = jail;
  const unsparing = knownGood ? [{ ...fleet, jail: strict }] : [];
  return [fleet, today, { ...asked, scope: "alone" }, ...unsparing, ...others, day];
}

function addHost(text: string, before: [string, string][]): [string, string][] {
  const at = text.indexOf("=");
  const [name, file] = [hostToken(text.slice(0, Math.max(at, 0))), text.slice(at + 1)];
  if (name !== "" && file !== "") return [...before, [name, file]];
  throw new UsageError(
    `simulate: ${quote(text)}: expected a host and its log such as mx1=mail.log`,
  );
}

/** The addresses and networks, as the policy counts them, from which somebody has logged in. */
const loggedInOf = ({ policy }: Trial, { successes }: Facts) =>
  new Set(
    [...successes].flatMap((address) => {
      const { network } = policy.jail;
      const around = network && networkAround(address, network);
      return [countedAs(address, policy.jail), ...(around ? [around] : [])];
    }),
  );

function summaryOf(replay: Trial, facts: Facts) {
  const { bans, prevented } = replay;
  const addresses = new Set(bans.map(({ address }) => address));
  const loggedIn = loggedInOf(replay, facts);
  const withLogin = [...addresses].filter((address) => loggedIn.has(address)).length;
  return { bans: bans.length, addresses: addresses.size, withLogin, prevented: prevented() };
}

function numbersOf({ jail, recidive, dbpurgeage, scope, origin }: SimulatedPolicy) {
  const { maxretry, findtime, bantime, ipv4_prefix, ipv6_prefix, ...options } = jail;
  const { increment, network, users, domains, decoys, minhosts, quorum, hosts, shadow } = options;
  const { knownGood } = options;
  const counted = { maxretry, findtime, bantime, ipv4_prefix, ipv6_prefix };
  const repeated = recidive && {
    ...{ maxretry: recidive.maxretry, findtime: recidive.findtime, bantime: recidive.bantime },
  };
  const named = { users, domains, decoys, minhosts, quorum, onlyHosts: hosts, shadow, knownGood };
  return {
    ...{ ...counted, ...named, increment, network, dbpurgeage, recidive: repeated, scope },
    origin: origin ?? "tried",
  };
}

function describe(replays: readonly Trial[], facts: Facts) {
  const [asked] = replays;
  const loggedIn = asked && loggedInOf(asked, facts);
  return {
    attempts: facts.attempts,
    hosts: facts.hosts,
    policies: replays.map((replay) => ({
      ...numbersOf(replay.policy),
      ...summaryOf(replay, facts),
    })),
    bans: (asked?.bans ?? []).map(({ address, at, until, hosts, addresses, ...others }) => ({
      ...others,
      address,
      at: new Date(at).toISOString(),
      until: until === null ? null : new Date(until).toISOString(),
      hosts: Object.fromEntries(hosts),
      ...(addresses && { addresses: Object.fromEntries(addresses) }),
      hasLoggedIn: loggedIn?.has(address) ?? false,
    })),
  };
}

function tell(replays: readonly Trial[], facts: Facts, output: Output): void {
  const [asked] = replays;
  const bans = asked?.bans ?? [];
  const loggedIn = asked && loggedInOf(asked, facts);
  if (bans.length > 0) {
    output.table([
      [`BANNED AT (${zoneOf(bans[0]?.at ?? 0)})`, "ADDRESS", "FOR", "FAILURES", "LOGGED IN"],
      ...bans
        .slice(0, SHOWN)
        .map(({ at, until, address, hosts }): Cell[] => [
          formatInstant(at),
          address,
          until === null ? "ever" : formatDuration((until - at) / 1000),
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
      return [
        describePolicy(replay.policy),
        ...[count, addresses, withLogin, prevented].map(String),
      ];
    }),
  ]);
}

const MORE = `
The policy that is asked for comes first, then today's: that of the fleet's jail dovecot, or of
--today, if a coordinator answers, and otherwise fleetban's default. Others follow. WITH A LOGIN says
how many of the banned addresses had a successful login in the same logs: who they are is
worth a look before the policy is put in force.

Examples:
  fleetban simulate /var/log/mail.log*
  fleetban simulate --host mx1=mx1.log --host mx2=mx2.log --maxretry 3
  fleetban simulate mail.log --known-good-factor 3
  fleetban simulate mail.log --bantime.increment --bantime.maxtime 5w --recidive
`;
