/** The agent's parts and how they hang together: the picture of ARCHITECTURE.md as code. */
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Life } from "../daemon/daemon.ts";
import type { Log } from "../daemon/log.ts";
import { readVersion } from "../daemon/version.ts";
import type { AgentConfig } from "./config.ts";
import { createEnforcer } from "./enforcer.ts";
import type { Choice } from "./firewall/choice.ts";
import { openFirewall } from "./firewall/opening.ts";
import { followFleetSettings, lastKnownJails, type FleetSettings } from "./fleet-settings.ts";
import { createLastBans, readLastBans } from "./last-bans.ts";
import { createNeverBan } from "./never-ban.ts";
import { explainSecondAgent } from "./second-agent.ts";
import { createPublisher } from "./publisher.ts";
import { ensureStateDir } from "./state-file.ts";
import { createStateHealth } from "./state-health.ts";
import { sparingly } from "./sparingly.ts";
import { startStatus, type StatusReporter } from "./status.ts";
import { warningsOf } from "./warnings.ts";
import { startWatcher, type Watcher } from "./watcher.ts";

const PUBLISH_WITHIN_MS = 5_000;

export async function startAgent(
  config: AgentConfig,
  { kind, passedOver }: Choice,
  /** Resolves when NATS was reached for the first time; undefined: it never will be. */
  connected: Promise<NatsConnection | undefined>,
  log: Log,
  { onRelease, fail, ready }: Life,
): Promise<void> {
  const { host, stateDir } = config;
  const now = Date.now;
  const [instance, version, startedAt] = [randomUUID(), readVersion(), now()];
  const state = createStateHealth(stateDir, log);
  await ensureStateDir(stateDir).catch(state.of("checkpoint").failed);

  // The rules stand before anything else, with the bans that the kernel still has or had.
  const { chains, repairEvery } = config.firewall;
  const jails = await lastKnownJails(stateDir);
  const say = (what: string, facts: object) => log.info(facts, what);
  const firewall = await openFirewall({ kind, chains, jails, now, say });

  const parts: { settings?: FleetSettings; status?: StatusReporter; watcher?: Watcher } = {};
  const settings = () => parts.settings;
  const neverBan = createNeverBan(config.ignoreip);
  const onApplied = () => {
    lastBans.touch();
    parts.status?.soon();
  };
  const repairEveryMs = repairEvery * 1000;
  const common = { now, log, onFailed: fail };
  const enforcer = createEnforcer({
    ...{ ...common, firewall, jails, settings, neverBan, repairEveryMs, onApplied },
  });
  const recount = sparingly(enforcer.recount);
  onRelease(() => enforcer.stop());
  const lastBans = createLastBans({
    ...{ folder: stateDir, bans: enforcer.held, health: state.of("bans"), log },
  });
  onRelease(() => lastBans.close());
  await enforcer.restore(await readLastBans(stateDir));
  ready(enforcer.settled);

  // The log is its own spool: nothing is read before it can be published.
  const connection = await connected;
  if (!connection) return;
  const servers = () => [...config.nats.url.split(","), connection.getServer()];
  await neverBan.refresh(servers());
  const onChange = () => {
    enforcer.settingsChanged();
    parts.watcher?.jailsChanged(settings()?.jails() ?? []);
  };
  parts.settings = followFleetSettings({
    ...{ connection, stateDir, log, host, instance, onChange },
    onRefused: (by) => fail(explainSecondAgent(host, by)),
  });
  enforcer.follow(connection);

  const js = jetstream(connection);
  const publisher = createPublisher({
    host,
    now,
    publish: (subject, bytes, msgID) =>
      js.publish(subject, bytes, { msgID, timeout: PUBLISH_WITHIN_MS }),
    onProgress: () => parts.watcher?.progress(),
    onTrouble: (reason) => log.debug({ reason }, "failures are not stored yet, tries again"),
  });
  const watcher = await startWatcher({ ...common, config, publisher, jails, state });
  parts.watcher = watcher;
  watcher.jailsChanged(parts.settings.jails());
  onRelease(async () => {
    await watcher.stop();
    publisher.close();
  });

  parts.status = startStatus({
    host,
    refresh: async () => {
      await Promise.all([neverBan.refresh(servers()), recount()]);
    },
    describe: () => {
      const sources = watcher.describe();
      const known = parts.settings?.jails() ?? [];
      const conditions = { sources, gaps: watcher.gaps(), jails: known, passedOver };
      const warnings = warningsOf({ ...conditions, state: state.trouble() });
      const own = { addresses: neverBan.own(), sources, warnings, firewall: kind };
      const identity = { v: 1, host, instance, version, startedAt, sentAt: now() } as const;
      return { ...identity, ...enforcer.state(), ...own };
    },
    publish: (subject, bytes) => connection.publish(subject, bytes),
  });
  const { status } = parts;
  onRelease(() => {
    status.stop();
    return Promise.resolve();
  });
  log.info({ host, firewall: kind }, "agent is at work");
}
