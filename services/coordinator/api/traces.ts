/** The ways of bans with times, for `ban why --trace`. What NATS does not say is left out and named. */
import { isDue, type Ban } from "../../wire/ban.ts";
import type { Trace } from "../../wire/trace.ts";
import type { Latest } from "../../nats/read-latest.ts";
import type { ApiContext } from "./api-context.ts";
import { traceBan } from "./trace-ban.ts";

/** What NATS is asked only when somebody wants to see the way of a ban. */
export interface NatsTimes {
  /** Milliseconds by which NATS's clock is ahead of this one's. */
  aheadMs(): Promise<number>;
  /** The bans bucket's entry as it stands. */
  readBan(key: string): Promise<Pick<Latest, "revision" | "writtenAt">>;
}

/** An address has as many bans as there are jails and networks around it; a reply has room for these. */
const MOST_TRACED = 3;

export async function tracesOf(
  context: Pick<ApiContext, "bans" | "hosts" | "jails" | "natsTimes" | "now">,
  entries: readonly { key: string; ban: Ban; revision: number }[],
): Promise<Trace[]> {
  const { bans, hosts, natsTimes, now } = context;
  const natsAheadMs = await natsTimes.aheadMs().catch(() => undefined);
  const due = entries.filter(({ ban }) => isDue(ban, now())).slice(0, MOST_TRACED);
  const stored = await Promise.all(
    due.map(({ key }) => natsTimes.readBan(key).catch(() => undefined)),
  );
  // From here on nothing is waited for: all traces are of one moment.
  const up = hosts.list().filter((host) => hosts.isUp(host));
  const names = up.map(({ status }) => status.host);
  return due.map(({ ban, revision }, index) => {
    const entry = stored[index];
    const target = { created: bans.created(), revision };
    return traceBan({
      ...{ ban, natsAheadMs, hosts: names, aheadMs: (host: string) => hosts.aheadMs(host) },
      jail: context.jails().find(({ name }) => name === ban.jail),
      // Somebody may have changed the ban meanwhile.
      writtenAt: entry?.revision === revision ? entry.writtenAt : undefined,
      appliedAt: (host) => hosts.appliedAt(host, target),
    });
  });
}
