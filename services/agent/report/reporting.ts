/** The lane from the lines of a log to failures in NATS. */
import { jetstream } from "@nats-io/jetstream";
import type { Log } from "../../process/log.ts";
import type { NatsSession } from "../../nats/session.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { AgentConfig } from "../agent-config.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import type { StateHealth } from "../state/state-health.ts";
import { createFailurePublisher } from "./failure-publisher.ts";
import { createLoginOutcomes } from "./login-outcomes.ts";
import { startLogWatcher } from "./log-watcher.ts";
import { createPublishHealth } from "./publish-health.ts";

export interface Reporting {
  /** Looks at what costs to look at, now and then. */
  look(): void;
  sources(): HostStatus["sources"];
  sourceWarnings(): Warning[];
  /** Why NATS does not store failures of this host; undefined: it does. */
  publishTrouble(): string | undefined;
  /** Why logins fail for a reason of this host's own; undefined: they do not. */
  loginTrouble(): string | undefined;
  /** Calls `listener` when that begins or ends. */
  onLoginTrouble(listener: () => void): void;
  stop(): Promise<void>;
}

export interface ReportingOptions {
  config: AgentConfig;
  session: NatsSession;
  settings: Pick<FleetSettings, "jails" | "onChange">;
  state: StateHealth;
  log: Log;
  onFailed: (error: unknown) => void;
}

const PUBLISH_WITHIN_MS = 5_000;

export async function startReporting(options: ReportingOptions): Promise<Reporting> {
  const { config, settings, state, log, onFailed } = options;
  const { connection, link } = options.session;
  const js = jetstream(connection);
  const health = createPublishHealth({ now: () => performance.now(), isConnected: link.isUp, log });
  const publisher = createFailurePublisher({
    host: config.host,
    now: Date.now,
    publish: (subject, bytes, msgID) =>
      js.publish(subject, bytes, { msgID, timeout: PUBLISH_WITHIN_MS }),
    maxBytes: () => connection.info?.max_payload,
    onStored: health.stored,
    onTrouble: health.failed,
  });
  const listeners: (() => void)[] = [];
  const outcomes = createLoginOutcomes({
    now: Date.now,
    onChange() {
      for (const listener of listeners) listener();
    },
  });
  const watcher = await startLogWatcher({
    ...{ config, publisher, state, log, onFailed },
    jails: settings.jails(),
    onReading: outcomes.note,
    now: Date.now,
  });
  const jailsChanged = () => {
    watcher.jailsChanged(settings.jails());
  };
  settings.onChange(jailsChanged);
  jailsChanged(); // They may have changed while the watcher was started.

  return {
    look: watcher.look,
    sources: watcher.describe,
    sourceWarnings: watcher.warnings,
    publishTrouble: health.trouble,
    loginTrouble: outcomes.trouble,
    onLoginTrouble: (listener) => void listeners.push(listener),
    async stop() {
      await watcher.stop();
      publisher.close();
    },
  };
}
