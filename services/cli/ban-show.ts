/** `fleetban ban show ADDRESS`: all there is to say of an address. */
import { Command } from "commander";
import type { Address } from "../wire/address.ts";
import type { HostRow } from "../wire/api.ts";
import { isInForce, type Ban } from "../wire/ban.ts";
import { checksOf } from "./arguments.ts";
import { formatEvidence, formatState } from "./ban-words.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { describeFailure, FAILURE_HEAD } from "./failure.ts";
import { summarize } from "./reach.ts";
import type { Cell } from "./table.ts";
import { formatBoth, formatInstant } from "./time.ts";

export function showCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("ban show", output.note);
  return new Command("show")
    .description("one address: its bans, their history, its failures")
    .argument("<address>", "address or network", check.address)
    .option("--jail <jail>", "in this jail (default: in every one)", check.jail)
    .option(...JSON_OPTION)
    .action(async (address: Address, { json, jail }: JsonOption & { jail?: string }) => {
      const reply = await ask("ban.show", { address, jail });
      noteStale(context, reply.stale);
      if (json) {
        output.json("ban.show", reply);
        return;
      }
      const isBanned = reply.bans.some((ban) => isInForce(ban, now()));
      const hosts = isBanned ? (await ask("host.list", {})).hosts : [];
      if (reply.bans.length === 0) output.line(`${address} is not banned`);
      for (const ban of reply.bans) {
        output.line(`${ban.address} in ${ban.jail}`);
        output.facts(describe(ban, hosts, now()));
      }
      if (reply.allowed) {
        const { address: entry, comment } = reply.allowed;
        output.line(`${entry} is on the allowlist${comment && ` (${comment})`}`);
      }
      if (reply.changes.length > 0) {
        output.line("");
        output.line("history");
        output.table([CHANGE_HEAD, ...reply.changes.map(describeChange)]);
      }
      if (reply.failures.length > 0) {
        output.line("");
        output.line("last failures");
        output.table([FAILURE_HEAD, ...reply.failures.map(describeFailure)]);
      }
    });
}

function describe(ban: Ban, hosts: readonly HostRow[], now: number): Cell[][] {
  const isBanned = isInForce(ban, now);
  return [
    ["  state", formatState(ban, now)],
    ["  since", formatBoth(ban.startsAt, now)],
    ["  by", ban.by],
    ["  reason", ban.reason],
    ["  offence", String(ban.offence)],
    ["  failures", formatEvidence(ban)],
    ...(isBanned ? [["  in force", formatWhere(ban, hosts)]] : []),
    ...(ban.immuneUntil !== null && ban.immuneUntil > now
      ? [["  immune", `until ${formatBoth(ban.immuneUntil, now)}`]]
      : []),
  ];
}

/** "on 2/3 hosts: mx1, mx2; not yet on mx3". */
function formatWhere(ban: Ban, hosts: readonly HostRow[]): string {
  const up = hosts.filter(({ state }) => state === "up");
  if (up.length === 0) return "nowhere that is known: no host is up";
  const reach = {
    applied: up.filter(({ current }) => current).map(({ host }) => ({ host, ms: 0 })),
    missing: up.filter(({ current }) => !current).map(({ host }) => host),
    down: [],
  };
  const summary = summarize(reach, hosts, ban.address);
  const { done, total, dry, ineffective, refused, missing } = summary;
  const names = done.length === 0 ? "" : `: ${done.map(({ host }) => host).join(", ")}`;
  return [
    `on ${done.length}/${total} hosts${names}`,
    ...(missing.length > 0 ? [`not known of ${missing.join(", ")}`] : []),
    ...(dry.length > 0 ? [`dry run on ${dry.join(", ")}`] : []),
    ...(ineffective.length > 0 ? [`not effective on ${ineffective.join(", ")}`] : []),
    ...refused.map(({ host, reason }) => `refused by ${host} (${reason})`),
  ].join("; ");
}

const CHANGE_HEAD = ["TIME", "ADDRESS", "JAIL", "CHANGE", "UNTIL", "BY", "REASON"];

function describeChange(ban: Ban): Cell[] {
  const { changedAt, address, jail, state, until, by, reason } = ban;
  const end = until === null ? "for ever" : formatInstant(until);
  const change = state === "active" ? "banned" : state;
  return [formatInstant(changedAt), address, jail, change, end, by, reason];
}
