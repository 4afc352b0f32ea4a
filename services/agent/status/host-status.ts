/** The status of this host, put together from all of the agent's parts. */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { createWarningLog } from "../../process/warning-log.ts";
import { readVersion } from "../../process/version.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { Enforcing } from "../enforce/enforcing.ts";
import type { FirewallKind } from "../enforce/firewall/firewall.ts";
import type { Reporting } from "../report/reporting.ts";
import { warningsOf, type Conditions } from "./host-warnings.ts";
import { limitCpuShare } from "./limit-cpu-share.ts";
import { startStatusSender, type StatusSender } from "./status-sender.ts";

export interface HostStatusOptions {
  host: string;
  instance: string;
  kind: FirewallKind;
  enforcing: Enforcing;
  reporting: Reporting;
  passedOver: Conditions["passedOver"];
  alone: () => Conditions["alone"];
  /** Why this host's state cannot be written; undefined: it can. */
  stateTrouble: () => string | undefined;
  /** What NATS refuses to this agent, and what of its access ends soon. */
  ofNats: () => readonly Warning[];
  connection: Pick<NatsConnection, "publish">;
  now: () => number;
  log: Log;
}

/** At most this many fit into a status. */
const MAX_WARNINGS = 20;

export function startHostStatus(options: HostStatusOptions): StatusSender {
  const { host, instance, kind, enforcing, reporting } = options;
  const { passedOver, stateTrouble, ofNats, connection, now, log } = options;
  const [version, startedAt] = [readVersion(), now()];
  const recount = limitCpuShare(enforcing.recount);
  const look = limitCpuShare(enforcing.lookLeftBehind);
  const logWarnings = createWarningLog(log, now);
  const allWarnings = (): Warning[] => {
    const conditions: Conditions = {
      ...enforcing.trouble(),
      publishing: reporting.publishTrouble(),
      loginDigests: reporting.loginsTrouble(),
      alone: options.alone(),
      logins: reporting.loginTrouble(),
      state: stateTrouble(),
      passedOver,
    };
    return [...warningsOf(conditions), ...ofNats(), ...reporting.sourceWarnings()];
  };
  return startStatusSender({
    host,
    refresh: async () => {
      await Promise.all([enforcing.refreshOwnAddresses(), recount(), look()]);
      reporting.look();
      logWarnings(allWarnings());
    },
    describe: () => {
      const sources = reporting.sources();
      const found = allWarnings().slice(0, MAX_WARNINGS);
      const own = { addresses: enforcing.ownAddresses(), sources, warnings: found, firewall: kind };
      const identity = { v: 1, host, instance, version, startedAt, sentAt: now() } as const;
      const drill = reporting.drill();
      return { ...identity, ...enforcing.state(), ...own, ...(drill && { drill }) };
    },
    publish: (subject, bytes) => connection.publish(subject, bytes),
  });
}
