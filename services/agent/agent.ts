/** The agent's parts and how they hang together: the picture of ARCHITECTURE.md as code. */
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import type { Life } from "../process/daemon.ts";
import type { Log } from "../process/log.ts";
import { mirrorBucket } from "../nats/bucket-mirror.ts";
import type { NatsSession } from "../nats/session.ts";
import { BANS_BUCKET } from "../wire/subjects.ts";
import { decodeHostBan } from "./enforce/ban-filter.ts";
import type { AgentConfig } from "./agent-config.ts";
import { createKernelSync } from "./enforce/kernel-sync.ts";
import type { Choice } from "./enforce/firewall/choice.ts";
import { createLeftBehind } from "./enforce/firewall/left-behind.ts";
import { openFirewall } from "./enforce/firewall/opening.ts";
import { createRemains } from "./enforce/firewall/remains.ts";
import { followFleetSettings, lastKnownJails, type FleetSettings } from "./fleet-settings.ts";
import { createSavedBans, readSavedBans } from "./enforce/saved-bans.ts";
import { createNeverBan } from "./enforce/never-ban.ts";
import { explainDuplicateAgent } from "./duplicate-agent.ts";
import { createPublishHealth } from "./report/publish-health.ts";
import { createFailurePublisher } from "./report/failure-publisher.ts";
import { ensureStateDir } from "./state/state-file.ts";
import { createStateHealth } from "./state/state-health.ts";
import { startHostStatus } from "./status/host-status.ts";
import type { StatusSender } from "./status/status-sender.ts";
import { startLogWatcher, type LogWatcher } from "./report/log-watcher.ts";

const PUBLISH_WITHIN_MS = 5_000;

export async function startAgent(
  config: AgentConfig,
  { kind, passedOver }: Choice,
  /** Resolves when NATS was reached for the first time; undefined: it never will be. */
  connected: Promise<NatsSession | undefined>,
  log: Log,
  { onRelease, fail, ready }: Life,
): Promise<void> {
  const { host, stateDir } = config;
  const now = Date.now;
  const instance = randomUUID();
  const state = createStateHealth(stateDir, log);
  await ensureStateDir(stateDir).catch(state.of("checkpoint").failed);

  // The rules stand before anything else, with the bans that the kernel still has or had.
  const { chains, repairEvery } = config.firewall;
  const jails = await lastKnownJails(stateDir);
  const say = (what: string, facts: object) => log.info(facts, what);
  const firewall = await openFirewall({ kind, chains, jails, now, say });
  const leftBehind = createLeftBehind({ kind, remains: createRemains(now), log });
  await leftBehind.look();

  const parts: { settings?: FleetSettings; status?: StatusSender; watcher?: LogWatcher } = {};
  const settings = () => parts.settings;
  const neverBan = createNeverBan(config.ignoreip);
  const onApplied = () => {
    savedBans.touch();
    parts.status?.soon();
  };
  const repairEveryMs = repairEvery * 1000;
  const common = { now, log, onFailed: fail };
  const kernelSync = createKernelSync({
    ...{ ...common, firewall, jails, settings, neverBan, repairEveryMs, onApplied },
  });
  onRelease(() => kernelSync.stop());
  const savedBans = createSavedBans({
    ...{ folder: stateDir, bans: kernelSync.held, health: state.of("bans"), log },
  });
  onRelease(() => savedBans.close());
  await kernelSync.restore(await readSavedBans(stateDir));
  ready(kernelSync.settled);

  // The log is its own spool: nothing is read before it can be published.
  const session = await connected;
  if (!session) return;
  const { connection, link, expiry } = session;
  const servers = () => [...config.nats.url.split(","), connection.getServer()];
  await neverBan.refresh(servers());
  const onChange = () => {
    kernelSync.settingsChanged();
    parts.watcher?.jailsChanged(settings()?.jails() ?? []);
  };
  parts.settings = followFleetSettings({
    ...{ connection, stateDir, log, host, instance, onChange },
    onRefused: (by) => fail(explainDuplicateAgent(host, by)),
  });
  kernelSync.follow((onEvent) =>
    mirrorBucket({ connection, bucket: BANS_BUCKET, decode: decodeHostBan, onEvent, log }),
  );

  const js = jetstream(connection);
  const health = createPublishHealth({ now: () => performance.now(), isConnected: link.isUp, log });
  const publisher = createFailurePublisher({
    host,
    now,
    publish: (subject, bytes, msgID) =>
      js.publish(subject, bytes, { msgID, timeout: PUBLISH_WITHIN_MS }),
    onProgress: () => parts.watcher?.progress(),
    maxBytes: () => connection.info?.max_payload,
    onStored: health.stored,
    onTrouble: health.failed,
  });
  const watcher = await startLogWatcher({ ...common, config, publisher, jails, state });
  parts.watcher = watcher;
  watcher.jailsChanged(parts.settings.jails());
  onRelease(async () => {
    await watcher.stop();
    publisher.close();
  });

  parts.status = startHostStatus({
    ...{ host, instance, kind, neverBan, kernelSync, watcher, connection, now },
    ...{ servers, leftBehind },
    warnings: () => ({ passedOver, state: state.trouble(), publishing: health.trouble() }),
    expiry: expiry.warnings,
    log,
  });
  const { status } = parts;
  onRelease(() => {
    status.stop();
    return Promise.resolve();
  });
  log.info({ host, firewall: kind }, "agent is at work");
}
