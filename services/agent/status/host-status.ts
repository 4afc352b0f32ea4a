/** The status of this host, put together from all of the agent's parts. */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { createWarningLog } from "../../process/warning-log.ts";
import { readVersion } from "../../process/version.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { KernelSync } from "../enforce/kernel-sync.ts";
import type { FirewallKind } from "../enforce/firewall/firewall.ts";
import type { LeftBehind } from "../enforce/firewall/left-behind.ts";
import type { NeverBan } from "../enforce/never-ban.ts";
import { limitCpuShare } from "./limit-cpu-share.ts";
import { startStatusSender, type StatusSender } from "./status-sender.ts";
import { warningsOf, type Conditions } from "./host-warnings.ts";
import type { LogWatcher } from "../report/log-watcher.ts";

export interface HostStatusOptions {
  host: string;
  instance: string;
  kind: FirewallKind;
  /** URLs of NATS. */
  servers: () => readonly string[];
  neverBan: NeverBan;
  kernelSync: Pick<KernelSync, "recount" | "state" | "trouble">;
  watcher: Pick<LogWatcher, "look" | "describe" | "warnings">;
  leftBehind: LeftBehind;
  /** What only their owners know. */
  warnings: () => Pick<Conditions, "passedOver" | "state" | "publishing">;
  expiry: () => readonly Warning[];
  connection: Pick<NatsConnection, "publish">;
  now: () => number;
  log: Log;
}

/** At most so many fit into a status. */
const MAX_WARNINGS = 20;

export function startHostStatus(options: HostStatusOptions): StatusSender {
  const { host, instance, kind, servers, neverBan, kernelSync, watcher } = options;
  const { leftBehind, warnings, expiry, connection, now, log } = options;
  const [version, startedAt] = [readVersion(), now()];
  const recount = limitCpuShare(kernelSync.recount);
  const look = limitCpuShare(leftBehind.look);
  const logWarnings = createWarningLog(log, now);
  const allWarnings = (): Warning[] => {
    const found = { ...warnings(), ...kernelSync.trouble(), leftBehind: leftBehind.found() };
    return [...warningsOf(found), ...watcher.warnings(), ...expiry()];
  };
  return startStatusSender({
    host,
    refresh: async () => {
      await Promise.all([neverBan.refresh(servers()), recount(), look()]);
      watcher.look();
      logWarnings(allWarnings());
    },
    describe: () => {
      const sources = watcher.describe();
      const found = allWarnings().slice(0, MAX_WARNINGS);
      const own = { addresses: neverBan.own(), sources, warnings: found, firewall: kind };
      const identity = { v: 1, host, instance, version, startedAt, sentAt: now() } as const;
      return { ...identity, ...kernelSync.state(), ...own };
    },
    publish: (subject, bytes) => connection.publish(subject, bytes),
  });
}
