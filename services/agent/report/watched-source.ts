/**
 * One source of the configuration: what is read of it, how its lines are understood and what is known
 * of it. It is read from when on its jail is known.
 */
import type { Ledger } from "../../detection/attempts/attempt-ledger.ts";
import type { Failure, Found } from "../../detection/attempts/failure.ts";
import type { Reading } from "../../detection/dovecot/reading.ts";
import type { LogFacts } from "../../detection/lines/log-facts.ts";
import { zoneOrLocal } from "../../detection/lines/zone.ts";
import type { Log } from "../../process/log.ts";
import { formatDuration } from "../../config/duration.ts";
import type { Jail } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { Bookmark, CheckpointFile } from "./checkpoint.ts";
import type { SourceConfig } from "../agent-config.ts";
import type { FailurePublisher } from "./failure-publisher.ts";
import { createPacer } from "./pacer.ts";
import { createSourceDetector, writersOf } from "./source-detector.ts";
import { openFileSource } from "./sources/file-source.ts";
import { openJournalSource } from "./sources/journal-source.ts";
import { createLogClock } from "./sources/log-clock.ts";
import { warningsOfSource, type Gap } from "./sources/source-warnings.ts";
import { createUnrecognizedLines } from "./sources/unrecognized-lines.ts";
import { createSurroundings } from "./sources/surroundings.ts";
import { isPattern } from "./sources/path-pattern.ts";
import { openPatternReader, type PatternReaderOptions } from "./sources/pattern-reader.ts";
import { readerOf, type Reader } from "./sources/reader.ts";
import type { Chunk } from "./sources/source.ts";

export interface WatchedSource {
  readonly name: string;
  /** Where each of its lanes stands. */
  bookmarks(): Record<string, Bookmark>;
  shift(): Shift;
  /** Takes the jails as they are now. */
  learn(jails: readonly Jail[]): void;
  /** Looks at what costs to look at. */
  look(): void;
  describe(): HostStatus["sources"][number];
  warnings(): Warning[];
  stop(): void;
}

type Shift = NonNullable<CheckpointFile["shifts"]>[string];

export interface WatchedSourceOptions {
  config: SourceConfig;
  /** Where the last run was. */
  restored: CheckpointFile | undefined;
  ledger: Ledger;
  publisher: Pick<FailurePublisher, "add">;
  /** A user name as it is published. */
  nameOf: (user: string | undefined) => string | undefined;
  /** Hears of every line of Dovecot's that is looked at. */
  onReading: (reading: Reading) => void;
  /** Sees failures as they are found, before anybody else, and may change them. */
  mark: (jail: string, failures: readonly Failure[]) => void;
  /** Hears of every failure that is found, and of every attempt that is withdrawn. */
  onFound: (jail: string, found: Found) => void;
  /** Something was read. */
  onRead: () => void;
  now: () => number;
  log: Log;
}

const NEWLINE = 10;
/** How often the time of a log is compared with the clock once it is known. */
const COMPARE_EVERY_MS = 1_000;
/** At most this many of the last lines of a chunk are compared. */
const COMPARED_LINES = 3;
const TAIL_BYTES = 16_384;

export function watchSource(options: WatchedSourceOptions): WatchedSource {
  const { config, restored, ledger, publisher, nameOf, onRead, now } = options;
  const { name, jail, timezone } = config;
  const log = options.log.child({ source: name });
  const counters = { lines: 0, failures: 0, lastLineAt: null as number | null };
  const startedAt = now();
  let knownJails: readonly Jail[] = [];
  let gap: Gap | undefined;
  let isStarted = false;
  let isStopped = false;
  const pacer = createPacer();
  let comparedAt = -Infinity;

  const zoneName = zoneNameOf(timezone);
  const knownShift = restored?.shifts?.[name];
  const clock = createLogClock({
    zone: zoneOrLocal(timezone),
    // One that was found for another zone says nothing.
    shiftMs: knownShift && knownShift.zone === zoneName ? knownShift.shiftMs : 0,
    onShift: (shiftMs) => logShift(log, shiftMs),
  });
  const unrecognized = createUnrecognizedLines(now);
  const logFacts: LogFacts = {
    get zone() {
      return clock.zone;
    },
    ...writersOf(config),
  };
  const detector = createSourceDetector({
    ...{ source: name, jail, ledger, log: logFacts, onUnrecognized: unrecognized.note },
    onReading: options.onReading,
    onUnusable: (reason) => log.error({ jail, reason }, "the jail's filter cannot be used"),
  });

  function compareTime({ lines, isFresh }: Chunk): void {
    const at = now();
    const isKnown = clock.time.state !== "unknown";
    if (!isFresh || (isKnown && at - comparedAt < COMPARE_EVERY_MS)) return;
    comparedAt = at;
    for (const line of lastLines(lines, COMPARED_LINES)) {
      const written = detector.current()?.writtenAt(line, at);
      if (written) clock.observe(written, at);
    }
  }

  function onLines(lane: string, chunk: Chunk): Promise<void> | undefined {
    compareTime(chunk);
    const { lines, from } = chunk;
    const steps = detector.current()?.feedInSteps?.(lines, from, now());
    if (steps) {
      const certain = (failures: Failure[]): Found => ({ failures, withdrawn: [] });
      return pacer.run(steps).then((failures) => publish(lane, chunk, certain(failures)));
    }
    const failures = detector.current()?.feed(lines, from, now()) ?? [];
    return publish(lane, chunk, { failures, withdrawn: ledger.takeWithdrawn() });
  }

  /** Returns a promise where reading must wait. */
  function publish(lane: string, chunk: Chunk, found: Found): Promise<void> | undefined {
    if (isStopped) return undefined; // nobody has been told of its place: it is read again
    const { lines, from, to, epoch } = chunk;
    const { failures, withdrawn } = found;
    if (failures.length > 0) options.mark(jail, failures);
    for (const failure of failures) failure.user = nameOf(failure.user);
    counters.lines += countLines(lines);
    counters.failures += failures.length;
    counters.lastLineAt = now();
    const wait = publisher.add({ lane, source: name, jail, epoch, from, to, ...found });
    if (failures.length + withdrawn.length > 0) options.onFound(jail, found);
    onRead();
    return wait;
  }

  const reader = openReader(config, restored, {
    startAt: config.startAt,
    onLines,
    onOverlong: () => log.warn("a line of over 1 MiB was skipped"),
    onGap: (reason) => {
      gap = { foundAt: now(), reason };
      log.warn({ reason }, "lines were lost: failures in them are not counted");
    },
    onFailed: (reason) => log.error({ reason }, "source cannot be read"),
    say: (what, facts) => log.info({ ...facts }, what),
  });

  const surroundings = createSurroundings({
    config,
    jail: () => knownJails.find((each) => each.name === jail),
    quietSince: () => counters.lastLineAt ?? startedAt,
    now,
  });

  /** journalctl goes on in silence where it may read nothing. */
  const stateNow = () => (surroundings.journalTrouble() === undefined ? reader.state() : "failed");

  return {
    name,
    bookmarks: () => reader.bookmarks(),
    shift: () => ({ zone: zoneName, shiftMs: clock.shiftMs }),
    learn(jails) {
      knownJails = jails;
      detector.learn(jails);
      if (isStarted || !detector.current()) return;
      isStarted = true;
      reader.start();
    },
    describe: () => ({
      ...{ name, jail, state: stateNow(), ...counters, lag: reader.lag() },
      ...(clock.shiftMs !== 0 && { shift: clock.shiftMs }),
      ...(unrecognized.total > 0 && { unrecognized: unrecognized.total }),
    }),
    look: () => surroundings.look(),
    warnings: () =>
      warningsOfSource({
        ...{ config, gap, time: clock.time, jails: knownJails, surroundings },
        unrecognized: unrecognized.recent(),
        ...{ state: reader.state(), trouble: reader.trouble(), lag: reader.lag() },
        shortened: detector.current()?.shortened ?? 0,
      }),
    stop() {
      isStopped = true;
      reader.stop();
    },
  };
}

function openReader(
  config: SourceConfig,
  restored: CheckpointFile | undefined,
  options: Omit<PatternReaderOptions, "name" | "pattern" | "restored">,
): Reader {
  const { name, path, user: uid } = config;
  const alone = { ...options, onLines: (chunk: Chunk) => options.onLines(name, chunk) };
  const bookmark = restored?.sources[name];
  // A source that was another one under the same name begins anew.
  if (path === undefined) {
    const own = bookmark && "cursor" in bookmark ? bookmark : undefined;
    const selection = { ...config, uid };
    return readerOf(name, openJournalSource({ ...alone, selection, bookmark: own }));
  }
  if (isPattern(path)) {
    const lanes = Object.entries(restored?.sources ?? {}).filter(([lane]) => {
      return lane.startsWith(`${name}:`);
    });
    const isKnown = restored?.patterns?.[name] === path;
    const known = isKnown ? Object.fromEntries(lanes) : undefined;
    return openPatternReader({ ...options, name, pattern: path, restored: known });
  }
  const own = bookmark && "inode" in bookmark ? bookmark : undefined;
  return readerOf(name, openFileSource({ ...alone, path, bookmark: own }));
}

/** Names the zone in a checkpoint. ICU has no name for every zone that /etc/localtime may hold. */
function zoneNameOf(timezone: string | undefined): string {
  const local: { timeZone?: string } = Intl.DateTimeFormat().resolvedOptions();
  return timezone ?? local.timeZone ?? "local";
}

function logShift(log: Log, shiftMs: number): void {
  const moved = describeShift(shiftMs);
  if (shiftMs === 0) log.warn("time stamps of this log are of the expected time zone again");
  else log.warn({ moved }, "time stamps of this log are of another time zone, and are corrected");
}

/** "5h later", "30m earlier". */
function describeShift(shiftMs: number): string {
  const amount = formatDuration(Math.abs(shiftMs) / 1000);
  return shiftMs > 0 ? `${amount} later` : `${amount} earlier`;
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** The last lines of a chunk, the oldest first. */
function lastLines(lines: Buffer, count: number): string[] {
  const pieces = lines.subarray(-TAIL_BYTES).toString("utf8").split("\n").slice(0, -1);
  const whole = lines.length > TAIL_BYTES ? pieces.slice(1) : pieces;
  return whole.slice(-count);
}
