/**
 * From log lines to published failures: every source, one ledger for all of them,
 * the publisher and the checkpoint.
 */
import { createLedger } from "../../detection/attempts/attempt-ledger.ts";
import type { Failure, Found } from "../../detection/attempts/failure.ts";
import type { Reading } from "../../detection/dovecot/reading.ts";
import type { Log } from "../../process/log.ts";
import type { Jail } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Warning } from "../../wire/warnings.ts";
import { createCheckpoint, readCheckpoint } from "./checkpoint.ts";
import type { AgentConfig, SourceConfig } from "../agent-config.ts";
import type { FailurePublisher } from "./failure-publisher.ts";
import { openUserNames } from "./user-names.ts";
import type { StateHealth } from "../state/state-health.ts";
import { isPattern } from "./sources/path-pattern.ts";
import { watchSource, type WatchedSource } from "./watched-source.ts";

export interface LogWatcher {
  /** Looks at what costs to look at, now and then. */
  look(): void;
  describe(): HostStatus["sources"];
  warnings(): Warning[];
  /** A source is read from when on its jail is known. */
  jailsChanged(jails: readonly Jail[]): void;
  stop(): Promise<void>;
}

export interface LogWatcherOptions {
  config: Pick<AgentConfig, "sources" | "stateDir" | "mode" | "users" | "usersKey">;
  publisher: FailurePublisher;
  /** Hears of every line of Dovecot's that is looked at. */
  onReading: (reading: Reading) => void;
  /** Sees failures as they are found, before anybody else, and may change them. */
  mark: (jail: string, failures: readonly Failure[]) => void;
  /** Hears of every failure that is found, and of every attempt that is withdrawn. */
  onFound: (jail: string, found: Found) => void;
  state: StateHealth;
  /** The last known ones. */
  jails: readonly Jail[];
  now: () => number;
  log: Log;
  onFailed: (error: unknown) => void;
}

export async function startLogWatcher(options: LogWatcherOptions): Promise<LogWatcher> {
  const { config, publisher, now, log, onFailed } = options;
  const restored = await readCheckpoint(config.stateDir);
  const ledger = createLedger({ mode: config.mode, snapshot: restored?.ledger });
  const nameOf = await openUserNames(config);
  const watched: WatchedSource[] = [];

  const checkpoint = createCheckpoint({
    folder: config.stateDir,
    bookmarks: () =>
      Object.fromEntries(watched.flatMap((source) => Object.entries(source.bookmarks()))),
    patterns: () => Object.fromEntries(config.sources.flatMap(patternOf)),
    shifts: () => Object.fromEntries(watched.map((source) => [source.name, source.shift()])),
    ledger: ledger.snapshot,
    acknowledged: (lane, epoch) => publisher.acknowledged(lane, epoch),
    health: options.state.of("checkpoint"),
    onError: onFailed,
  });

  function jailsChanged(jails: readonly Jail[]): void {
    for (const source of watched) source.learn(jails);
  }

  for (const source of config.sources) {
    watched.push(
      watchSource({
        ...{ config: source, ledger, publisher, nameOf, now, log },
        restored,
        onReading: options.onReading,
        mark: options.mark,
        onFound: options.onFound,
        onRead: checkpoint.touch,
      }),
    );
  }
  publisher.onSettled(ledger.settle);
  publisher.onProgress(checkpoint.touch);
  // The epochs must outlive this process before anything is published under them.
  await checkpoint.write();
  jailsChanged(options.jails);

  return {
    look() {
      for (const source of watched) source.look();
    },
    describe: () => watched.map((source) => source.describe()),
    warnings: () => watched.flatMap((source) => source.warnings()),
    jailsChanged,
    async stop() {
      // The bookmarks are those of open files.
      await checkpoint.close();
      for (const source of watched) source.stop();
    },
  };
}

function patternOf({ name, path }: SourceConfig): [string, string][] {
  return path !== undefined && isPattern(path) ? [[name, path]] : [];
}
