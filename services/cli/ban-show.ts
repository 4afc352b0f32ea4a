/** `fleetban ban show ADDRESS`: everything that the fleet knows about an address. */
import type { Command } from "commander";
import { overlaps, type Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import type { Standing } from "../wire/reach.ts";
import { isInForce, type Ban } from "../wire/ban.ts";
import { addressQuestion } from "./address-question.ts";
import { formatEvidence, formatState, wordForHeld } from "./ban-words.ts";
import type { Context } from "./context.ts";
import { describeFailure, failureHead } from "./failure.ts";
import { nameFirst } from "./reach.ts";
import type { Cell } from "./table.ts";
import { formatBoth, formatInstant, formatZoned, zoneOf } from "./time.ts";

export function showCommand(context: Context): Command {
  const { output, now } = context;
  return addressQuestion(context, {
    verb: "show",
    description: "one address: its bans, their history, its failures",
    tell(reply, address) {
      if (reply.bans.length === 0) output.line(`${address} is not banned`);
      for (const ban of reply.bans) {
        output.line(`${ban.address} in ${ban.jail}`);
        output.facts(describe(ban, reply, now()));
      }
      if (reply.total > reply.bans.length) {
        const rest = reply.total - reply.bans.length;
        output.note(`and ${rest} more bans: fleetban ban list --address ${address}`);
      }
      if (reply.allowed) {
        const { address: entry, comment } = reply.allowed;
        output.line(`${entry} is on the allowlist${comment && ` (${comment})`}`);
      }
      for (const { address: entry, jail = "", comment } of reply.allowedInJails ?? []) {
        output.line(`${entry} is on the allowlist of jail ${jail}${comment && ` (${comment})`}`);
      }
      if (reply.machine) {
        const { address: own, what } = reply.machine;
        output.line(`${own} is an address of ${what}: it is never banned automatically`);
      }
      if (reply.changes.length > 0) {
        output.line("");
        output.line("history");
        output.table([changeHead(now()), ...reply.changes.map(describeChange)]);
      }
      if (reply.failures.length > 0) {
        output.line("");
        output.line("last failures");
        output.table([failureHead(now()), ...reply.failures.map(describeFailure)]);
      }
    },
  });
}

function describe(ban: Ban, reply: Reply<"ban.show">, now: number): Cell[][] {
  const isBanned = isInForce(ban, now);
  return [
    ["  state", formatState(ban, now)],
    ["  since", formatBoth(ban.startsAt, now)],
    ["  by", ban.by],
    ["  reason", ban.reason],
    ...describeHeld(ban, now),
    ["  offence", String(ban.offence)],
    ["  failures", formatEvidence(ban)],
    ...(ban.basis?.bans ? [["  bans", formatBans(ban.basis.bans)]] : []),
    ...(ban.basis?.addresses ? [["  addresses", formatAddresses(ban.basis.addresses)]] : []),
    ...(isBanned && reply.standing ? [["  in force", formatWhere(ban, reply)]] : []),
    ...(ban.immuneUntil !== null && ban.immuneUntil > now
      ? [["  immune", `until ${formatBoth(ban.immuneUntil, now)}`]]
      : []),
  ];
}

/** "dovecot 4, submission 1". */
const formatBans = (bans: readonly { jail: string; bans: number }[]): string =>
  bans.map(({ jail, bans: count }) => `${jail} ${count}`).join(", ");

/** "2001:db8::1 3, 2001:db8::2 2": the most failures first. */
function formatAddresses(addresses: readonly { address: Address; failures: number }[]): string {
  const sorted = addresses.toSorted((a, b) => b.failures - a.failures);
  return sorted.map(({ address, failures }) => `${address} ${failures}`).join(", ");
}

/** Why the ban is not in force, or not on every host, though its time is not over. */
export const describeHeld = (ban: Ban, now: number): Cell[][] =>
  ban.held === undefined ? [] : [[`  ${wordForHeld(ban, now)}`, ban.held]];

type Where = Pick<Reply<"ban.show">, "standing" | "local">;

/** "on 2/3 hosts: mx1, mx2; not known of mx3". */
export function formatWhere(ban: Ban, { standing, local = [] }: Where): string {
  const { jail, address, hosts } = ban;
  const own = local.find((each) => each.jail === jail && each.address === address);
  const where = own?.standing ?? standing;
  if (!where) return "nowhere that is known";
  if (!hosts) return formatStanding(address, where);
  const { counts } = where;
  const alone = `${hosts.join(", ")} alone until another host confirms`;
  if (counts.live > 0 && counts.inForce === counts.live && !counts.silent) {
    return `on ${counts.inForce}/${counts.live} hosts (${alone})`;
  }
  return `${formatStanding(address, where)} (${alone})`;
}

function formatStanding(address: Address, standing: Standing): string {
  const { counts, inForce, missing, dryRun, ineffective } = standing;
  if (counts.live === 0) {
    return ["nowhere that is known: no host is up", ...describeSilent(standing)].join("; ");
  }
  const refused = standing.refused.filter((each) => overlaps(each.address, address));
  const refusals = refused.map(({ host, reason }) => `${host} (${reason})`);
  const names = inForce.length === 0 ? "" : `: ${nameFirst(inForce, counts.inForce)}`;
  return [
    `on ${counts.inForce}/${counts.live} hosts${names}`,
    ...(missing.length > 0 ? [`not known of ${nameFirst(missing, counts.missing)}`] : []),
    ...(dryRun.length > 0 ? [`dry run on ${nameFirst(dryRun, counts.dryRun)}`] : []),
    ...(ineffective.length > 0
      ? [`not effective on ${nameFirst(ineffective, counts.ineffective)}`]
      : []),
    ...(refusals.length > 0 ? [`refused by ${nameFirst(refusals, refusals.length)}`] : []),
    ...describeSilent(standing),
  ].join("; ");
}

/** "silent: mx4 since 2026-11-24 12:14:03 (had the ban)". */
function describeSilent({ silent = [], counts }: Standing): string[] {
  if (silent.length === 0) return [];
  const words = silent.map(({ host, lastSeenAt, hadBan }) => {
    return `${host} since ${formatZoned(lastSeenAt)} (${hadBan ? "had the ban" : "did not report the ban"})`;
  });
  return [`silent: ${nameFirst(words, counts.silent ?? words.length)}`];
}

const changeHead = (now: number) => [
  `TIME (${zoneOf(now)})`,
  "ADDRESS",
  "JAIL",
  "CHANGE",
  "UNTIL",
  "BY",
  "REASON",
];

function describeChange(ban: Ban): Cell[] {
  const { changedAt, address, jail, state, until, by, reason } = ban;
  const end = until === null ? "for ever" : formatInstant(until);
  const change = state === "active" ? "banned" : state;
  return [formatInstant(changedAt), address, jail, change, end, by, reason];
}
