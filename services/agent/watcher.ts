/**
 * From log lines to published failures: every source, one ledger for all of them,
 * the publisher and the checkpoint.
 */
import { createDetector, type Detector } from "../detection/detector.ts";
import { createLedger } from "../detection/ledger.ts";
import type { Log } from "../daemon/log.ts";
import type { HostStatus } from "../wire/status.ts";
import { createCheckpoint, readCheckpoint } from "./checkpoint.ts";
import type { AgentConfig, SourceConfig } from "./config.ts";
import type { Publisher } from "./publisher.ts";
import { openFileSource, type FileSource } from "./sources/file-source.ts";

export interface Watcher {
  describe(): HostStatus["sources"];
  /** Something was acknowledged. */
  progress(): void;
  stop(): Promise<void>;
}

export interface WatcherOptions {
  config: Pick<AgentConfig, "sources" | "stateDir" | "mode">;
  publisher: Publisher;
  now: () => number;
  log: Log;
  onFailed: (error: unknown) => void;
}

interface Watched {
  config: SourceConfig;
  file: FileSource;
  detector: Detector;
  lines: number;
  failures: number;
  lastLineAt: number | null;
}

const NEWLINE = 10;

export async function startWatcher(options: WatcherOptions): Promise<Watcher> {
  const { config, publisher, now, log, onFailed } = options;
  const restored = await readCheckpoint(config.stateDir);
  const ledger = createLedger({ mode: config.mode, snapshot: restored?.ledger });
  const watched: Watched[] = [];

  const checkpoint = createCheckpoint({
    folder: config.stateDir,
    bookmarks: () =>
      Object.fromEntries(watched.map(({ config: { name }, file }) => [name, file.bookmark()])),
    ledger: ledger.snapshot,
    acknowledged: publisher.acknowledged,
    onError: onFailed,
  });

  for (const source of config.sources) {
    const detector = createDetector({ source: source.name, ledger });
    const counters = { lines: 0, failures: 0, lastLineAt: null as number | null };
    const onLines = (lines: Buffer, from: number, to: number, epoch: string) => {
      const failures = detector.feed(lines, from, now());
      counters.lines += countLines(lines);
      counters.failures += failures.length;
      counters.lastLineAt = now();
      const { name, jail } = source;
      const wait = publisher.add({ source: name, jail, epoch, from, to, failures });
      checkpoint.touch();
      return wait;
    };
    const file = openFileSource({
      path: source.path,
      startAt: source.startAt,
      bookmark: restored?.sources[source.name],
      onLines,
      onOverlong: () => log.warn({ source: source.name }, "a line of over 1 MiB was skipped"),
      say: (what, facts) => log.info({ source: source.name, ...facts }, what),
    });
    watched.push(Object.assign(counters, { config: source, file, detector }));
  }
  // The epochs must outlive this process before anything is published under them.
  await checkpoint.write();
  for (const { file } of watched) file.start();

  return {
    describe: () =>
      watched.map(({ config: { name, jail }, file, lines, failures, lastLineAt }) => {
        return { name, jail, state: file.state(), lines, failures, lag: file.lag(), lastLineAt };
      }),
    progress: checkpoint.touch,
    async stop() {
      // The bookmarks are those of open files.
      await checkpoint.close();
      for (const { file } of watched) file.stop();
    },
  };
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
