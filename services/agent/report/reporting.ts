/** The lane from the lines of a log to failures in NATS. */
import type { Found } from "../../detection/attempts/failure.ts";
import { createListeners } from "../../process/listeners.ts";
import type { Log } from "../../process/log.ts";
import type { NatsSession } from "../../nats/session.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { AgentConfig } from "../agent-config.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import type { SeenLogins } from "../seen-logins.ts";
import type { StateHealth } from "../state/state-health.ts";
import { createDrills } from "./drills.ts";
import { createFailurePublisher } from "./failure-publisher.ts";
import { startLoginDigests } from "./login-digests.ts";
import { createLoginOutcomes } from "./login-outcomes.ts";
import { startLogWatcher } from "./log-watcher.ts";
import { createPublishHealth } from "./publish-health.ts";
import { createPublishing } from "./publishing.ts";

export interface Reporting {
  /** Looks at what costs to look at, now and then. */
  look(): void;
  sources(): HostStatus["sources"];
  sourceWarnings(): Warning[];
  /** Why NATS does not store failures of this host; undefined: it does. */
  publishTrouble(): string | undefined;
  /** Why NATS does not store logins of this host; undefined: it does, or nobody asks for them. */
  loginsTrouble(): string | undefined;
  /**
   * The sequence in the stream of the last failures that were stored, 0 if there were none; undefined
   * while something that is written in a log is not stored yet.
   */
  storedUpTo(): number | undefined;
  /** How far a drill has come that this host does now; undefined: it does none. */
  drill(): HostStatus["drill"];
  /** Calls `listener` when it has come further. */
  onDrill(listener: () => void): void;
  /** Why logins fail for a reason of this host's own; undefined: they do not. */
  loginTrouble(): string | undefined;
  /** Calls `listener` when that begins or ends. */
  onLoginTrouble(listener: () => void): void;
  stop(): Promise<void>;
}

export interface ReportingOptions {
  config: AgentConfig;
  /** Resolves when NATS was reached for the first time; undefined: it never will be. */
  connected: Promise<NatsSession | undefined>;
  /** Hears of every failure that is found, and of every attempt that is withdrawn. */
  onFound: (jail: string, found: Found) => void;
  /** Gets the successful logins that are found. */
  logins: SeenLogins;
  settings: Pick<FleetSettings, "jails" | "hasPolicy" | "onChange" | "onDrill">;
  ownAddresses: () => readonly string[];
  state: StateHealth;
  log: Log;
  onFailed: (error: unknown) => void;
}

/**
 * A host that is alone reads on while NATS stores nothing, until this many failures wait, some 500
 * bytes each: five of each address that it may ban.
 */
const MAX_UNACKNOWLEDGED_ALONE = 50_000;

export async function startReporting(options: ReportingOptions): Promise<Reporting> {
  const { config, settings, logins, state, log, onFailed } = options;
  const { host, sources } = config;
  const { publish, isConnected, maxBytes } = createPublishing(options.connected);
  const healthOf = (what: "failures" | "logins") =>
    createPublishHealth({ what, now: () => performance.now(), isConnected, log });
  const health = healthOf("failures");
  const loginsHealth = healthOf("logins");
  let lastStored = 0;
  const publisher = createFailurePublisher({
    ...{ host, publish, maxBytes, now: Date.now },
    ...(config.fallbackAfter !== "never" && { maxUnacknowledged: MAX_UNACKNOWLEDGED_ALONE }),
    onStored(sequence) {
      lastStored = sequence;
      health.stored();
    },
    onTrouble: health.failed,
  });
  const digests = startLoginDigests({
    ...{ host, logins, publish, maxBytes, now: Date.now },
    onStored: loginsHealth.stored,
    onTrouble: loginsHealth.failed,
  });
  const loginTrouble = createListeners<[]>();
  const outcomes = createLoginOutcomes({ now: Date.now, onChange: loginTrouble.call });
  const drills = createDrills({
    ...{ host, sources, jails: settings.jails, now: Date.now, log },
    ownAddresses: options.ownAddresses,
  });
  settings.onDrill(drills.begin);
  const watcher = await startLogWatcher({
    ...{ config, publisher, state, log, onFailed },
    jails: settings.jails(),
    onReading(reading) {
      outcomes.note(reading);
      logins.note(reading);
    },
    mark: drills.mark,
    onFound: options.onFound,
    now: Date.now,
  });
  const jailsChanged = () => {
    if (settings.hasPolicy()) logins.learn(settings.jails());
    watcher.jailsChanged(settings.jails());
  };
  settings.onChange(jailsChanged);
  jailsChanged(); // They may have changed while the watcher was started.

  return {
    look: watcher.look,
    sources: watcher.describe,
    sourceWarnings: watcher.warnings,
    publishTrouble: health.trouble,
    loginsTrouble: loginsHealth.trouble,
    storedUpTo() {
      const isBehind = publisher.backlog() > 0 || watcher.describe().some(({ lag }) => lag > 0);
      return isBehind ? undefined : lastStored;
    },
    drill: drills.report,
    onDrill: drills.onProgress,
    loginTrouble: outcomes.trouble,
    onLoginTrouble: loginTrouble.add,
    async stop() {
      await watcher.stop();
      digests.stop();
      publisher.close();
    },
  };
}
