/**
 * From log lines to published failures: every source, one ledger for all of them,
 * the publisher and the checkpoint.
 */
import { createLedger } from "../detection/attempts/attempt-ledger.ts";
import type { Log } from "../daemon/log.ts";
import type { Jail } from "../wire/settings.ts";
import type { HostStatus } from "../wire/status.ts";
import { createCheckpoint, readCheckpoint, type Bookmark } from "./checkpoint.ts";
import type { AgentConfig, SourceConfig } from "./config.ts";
import { createSourceDetector, type SourceDetector } from "./source-detector.ts";
import type { Publisher } from "./publisher.ts";
import { openUserNames } from "./user-names.ts";
import type { StateHealth } from "./state-health.ts";
import { openFileSource } from "./sources/file-source.ts";
import { openJournalSource } from "./sources/journal-source.ts";
import type { Source, SourceOptions } from "./sources/source.ts";

export interface Watcher {
  describe(): HostStatus["sources"];
  /** Sources of which lines were lost since the start, the last time of each. */
  gaps(): readonly Gap[];
  /** A source is read from when on its jail is known. */
  jailsChanged(jails: readonly Jail[]): void;
  /** Something was acknowledged. */
  progress(): void;
  stop(): Promise<void>;
}

export interface Gap {
  source: string;
  /** Epoch milliseconds. */
  foundAt: number;
  reason: string;
}

export interface WatcherOptions {
  config: Pick<AgentConfig, "sources" | "stateDir" | "mode" | "users" | "usersKey">;
  publisher: Publisher;
  state: StateHealth;
  /** The last known ones. */
  jails: readonly Jail[];
  now: () => number;
  log: Log;
  onFailed: (error: unknown) => void;
}

interface Watched {
  config: SourceConfig;
  reader: Source<Bookmark>;
  detector: SourceDetector;
  started: boolean;
  lines: number;
  failures: number;
  lastLineAt: number | null;
}

const NEWLINE = 10;

export async function startWatcher(options: WatcherOptions): Promise<Watcher> {
  const { config, publisher, now, log, onFailed } = options;
  const restored = await readCheckpoint(config.stateDir);
  const ledger = createLedger({ mode: config.mode, snapshot: restored?.ledger });
  const nameOf = await openUserNames(config);
  const watched: Watched[] = [];
  const gaps = new Map<string, Gap>();

  const checkpoint = createCheckpoint({
    folder: config.stateDir,
    bookmarks: () =>
      Object.fromEntries(
        watched.flatMap(({ config: { name }, reader }) => {
          const bookmark = reader.bookmark();
          return bookmark ? [[name, bookmark]] : [];
        }),
      ),
    ledger: ledger.snapshot,
    acknowledged: publisher.acknowledged,
    health: options.state.of("checkpoint"),
    onError: onFailed,
  });

  function jailsChanged(jails: readonly Jail[]): void {
    for (const each of watched) {
      each.detector.learn(jails);
      if (each.started || !each.detector.current()) continue;
      each.started = true;
      each.reader.start();
    }
  }

  for (const source of config.sources) {
    const { name, jail } = source;
    const onUnusable = (reason: string) => {
      log.error({ jail, reason }, "the jail's filter cannot be used");
    };
    const detector = createSourceDetector({ source: name, jail, ledger, onUnusable });
    const counters = { lines: 0, failures: 0, lastLineAt: null as number | null, started: false };
    const onLines = (lines: Buffer, from: number, to: number, epoch: string) => {
      const failures = detector.current()?.feed(lines, from, now()) ?? [];
      for (const failure of failures) failure.user = nameOf(failure.user);
      counters.lines += countLines(lines);
      counters.failures += failures.length;
      counters.lastLineAt = now();
      const wait = publisher.add({ source: name, jail, epoch, from, to, failures });
      checkpoint.touch();
      return wait;
    };
    const reader = openSource(source, restored?.sources[source.name], {
      startAt: source.startAt,
      onLines,
      onOverlong: () => log.warn({ source: source.name }, "a line of over 1 MiB was skipped"),
      onGap: (reason) => {
        gaps.set(source.name, { source: source.name, foundAt: now(), reason });
        const { name } = source;
        log.warn({ source: name, reason }, "lines were lost: failures in them are not counted");
      },
      say: (what, facts) => log.info({ source: source.name, ...facts }, what),
    });
    watched.push(Object.assign(counters, { config: source, reader, detector }));
  }
  // The epochs must outlive this process before anything is published under them.
  await checkpoint.write();
  jailsChanged(options.jails);

  return {
    describe: () =>
      watched.map(({ config: { name, jail }, reader, lines, failures, lastLineAt }) => {
        return {
          name,
          jail,
          state: reader.state(),
          lines,
          failures,
          lag: reader.lag(),
          lastLineAt,
        };
      }),
    gaps: () => [...gaps.values()],
    jailsChanged,
    progress: checkpoint.touch,
    async stop() {
      // The bookmarks are those of open files.
      await checkpoint.close();
      for (const { reader } of watched) reader.stop();
    },
  };
}

function openSource(
  source: SourceConfig,
  bookmark: Bookmark | undefined,
  options: Omit<SourceOptions<never>, "bookmark">,
): Source<Bookmark> {
  const { path } = source;
  if (path === undefined) {
    // A source that was another one under the same name begins anew.
    const own = bookmark && "cursor" in bookmark ? bookmark : undefined;
    return openJournalSource({ ...options, selection: source, bookmark: own });
  }
  const own = bookmark && "inode" in bookmark ? bookmark : undefined;
  return openFileSource({ ...options, path, bookmark: own });
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
