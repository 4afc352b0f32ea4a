/** `fleetban watch`: failures, bans and the lag of each host, as they come. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import type { Ban } from "../wire/ban.ts";
import type { Reply, WatchedFailure, WatchedHost } from "../wire/api.ts";
import { spellInstants } from "../wire/instants.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import { formatEnd, formatInstant } from "./time.ts";
import { shorten } from "./visible.ts";

type News = Reply<"watch.show">;

interface WatchOptions extends JsonOption {
  for?: number;
}

const ASK_EVERY_MS = 500;
/** Of one answer, at most this many lines of failures are printed, and as many of bans. */
const LINES = 20;
/** A host that is behind for less is not worth a line. */
const LAG_BYTES = 65_536;

export function watchCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("watch", output.note);
  return new Command("watch")
    .description("show failures, bans and the lag of each host as they come, until Ctrl-C")
    .option("--for <duration>", "end after so long", check.seconds)
    .option(...JSON_OPTION)
    .addHelpText("after", HELP)
    .action(async ({ json, for: seconds = Infinity }: WatchOptions) => {
      const stopped = new AbortController();
      const stop = () => stopped.abort();
      process.once("SIGINT", stop);
      process.once("SIGTERM", stop);
      const endsAt = now() + seconds * 1000;
      const shown = new Map<string, string>();
      let places: News["places"] | undefined;
      try {
        while (!stopped.signal.aborted && now() < endsAt) {
          const news: News = await ask("watch.show", places ? { after: places } : {});
          ({ places } = news);
          if (json) await printJson(context, news);
          else print(context, news, shown);
          await sleep(ASK_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => {});
        }
      } finally {
        output.transient(undefined);
        process.off("SIGINT", stop);
        process.off("SIGTERM", stop);
      }
    });
}

function print({ output, now }: Context, news: News, shown: Map<string, string>): void {
  const { failures, attempts, bans, banCount, hosts, hostCount } = news;
  const lastFailures = failures.slice(-LINES);
  const printed = lastFailures.reduce((sum, failure) => sum + failure.attempts, 0);
  if (attempts > printed) output.line(`          ... ${count(attempts - printed, "more failure")}`);
  for (const failure of lastFailures) output.line(describeFailure(failure));
  const lastBans = bans.slice(-LINES);
  if (banCount > lastBans.length) {
    output.line(`          ... ${count(banCount - lastBans.length, "more change")} of bans`);
  }
  for (const ban of lastBans) output.line(describeBan(ban, now()));
  for (const host of hosts) {
    const state = stateOf(host);
    // The first look shows every host, later ones what has changed.
    if (shown.get(host.host) !== state) output.line(`${clock(now())}  host ${host.host}: ${state}`);
    shown.set(host.host, state);
  }
  output.transient(summary(hosts, hostCount));
}

async function printJson({ output }: Context, news: News): Promise<void> {
  const { failures, bans, attempts, hosts } = news;
  for (const failure of failures) await output.jsonLine(spellInstants({ failure }));
  for (const { address, jail, state, reason, until, changedAt } of bans) {
    const ban = { address, jail, state, reason, until, changedAt };
    await output.jsonLine(spellInstants({ ban }));
  }
  await output.jsonLine({ attempts, hosts });
}

const clock = (at: number) => formatInstant(at).slice(11);

function describeFailure({ at, host, jail, address, attempts, user, service }: WatchedFailure) {
  const facts = [host, jail, address, ...(service === null ? [] : [service])];
  const who = user === null ? "" : `  user ${shorten(user, 48)}`;
  return `${clock(at)}  failure  ${facts.join("  ")}${attempts > 1 ? `  ${attempts} attempts` : ""}${who}`;
}

function describeBan(ban: Ban, now: number): string {
  const words = {
    active: "BAN",
    held: "HELD",
    shadow: "SHADOW",
    lifted: "unban",
    expired: "ended",
  };
  const end = ban.state === "active" ? ` ${formatEnd(ban.until, now)}` : "";
  return `${clock(ban.changedAt)}  ${words[ban.state]}  ${ban.address}  ${ban.jail}${end}: ${ban.reason}`;
}

/** In words that change only when something is to be seen. */
function stateOf({ isUp, lagBytes, behind }: WatchedHost): string {
  if (!isUp) return "silent";
  const parts = [
    ...(behind > 0 ? ["has not applied the last bans"] : []),
    ...(lagBytes >= LAG_BYTES ? ["reads behind its log"] : []),
  ];
  return parts.length === 0 ? "up, has every ban" : parts.join(", ");
}

/** The last line of a terminal: the hosts that are worst, with numbers. */
function summary(hosts: readonly WatchedHost[], hostCount: number): string {
  const shown = hosts.slice(0, 4).map(({ host, isUp, lagBytes, behind, heardMsAgo }) => {
    if (!isUp) return `${host} silent`;
    return `${host} ${lagBytes} B, ${behind} bans behind, heard ${Math.round(heardMsAgo / 1000)}s ago`;
  });
  const rest = hostCount > shown.length ? `; ${hostCount - shown.length} more` : "";
  return `${shown.join("; ")}${rest}`;
}

const HELP = `
At most 20 failures and 20 bans are printed twice a second; the others are counted. A line says when
a host falls silent, or behind with its log or with bans, and when that is over.

Examples:
  fleetban watch
  fleetban watch --for 1m --json
`;
