/** The status of this host, put together from all of the agent's parts. */
import type { NatsConnection } from "@nats-io/nats-core";
import { readVersion } from "../daemon/version.ts";
import type { Jail } from "../wire/settings.ts";
import type { Warning } from "../wire/status.ts";
import type { Enforcer } from "./enforcer.ts";
import type { FirewallKind } from "./firewall/firewall.ts";
import type { LeftBehind } from "./firewall/left-behind.ts";
import type { NeverBan } from "./never-ban.ts";
import { sparingly } from "./sparingly.ts";
import { startStatus, type StatusReporter } from "./status.ts";
import { warningsOf, type Conditions } from "./warnings.ts";
import type { Watcher } from "./watcher.ts";

export interface ReportOptions {
  host: string;
  instance: string;
  kind: FirewallKind;
  /** URLs of NATS. */
  servers: () => readonly string[];
  jails: () => readonly Jail[];
  neverBan: NeverBan;
  enforcer: Pick<Enforcer, "recount" | "state">;
  watcher: Pick<Watcher, "describe" | "gaps">;
  leftBehind: LeftBehind;
  /** What only their owners know. */
  warnings: () => Pick<Conditions, "passedOver" | "state" | "publishing">;
  expiry: () => readonly Warning[];
  connection: Pick<NatsConnection, "publish">;
  now: () => number;
}

export function startReport(options: ReportOptions): StatusReporter {
  const { host, instance, kind, servers, jails, neverBan, enforcer, watcher } = options;
  const { leftBehind, warnings, expiry, connection, now } = options;
  const [version, startedAt] = [readVersion(), now()];
  const recount = sparingly(enforcer.recount);
  const look = sparingly(leftBehind.look);
  return startStatus({
    host,
    refresh: async () => {
      await Promise.all([neverBan.refresh(servers()), recount(), look()]);
    },
    describe: () => {
      const sources = watcher.describe();
      const parts = { sources, gaps: watcher.gaps(), jails: jails(), ...warnings() };
      const found = { ...parts, leftBehind: leftBehind.found() };
      const said = [...warningsOf(found), ...expiry()].slice(0, 20);
      const own = { addresses: neverBan.own(), sources, warnings: said, firewall: kind };
      const identity = { v: 1, host, instance, version, startedAt, sentAt: now() } as const;
      return { ...identity, ...enforcer.state(), ...own };
    },
    publish: (subject, bytes) => connection.publish(subject, bytes),
  });
}
