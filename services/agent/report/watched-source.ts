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
import type { Jail } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Warning } from "../../wire/warnings.ts";
import type { Bookmark, CheckpointFile } from "./checkpoint.ts";
import type { SourceConfig } from "../agent-config.ts";
import type { FailurePublisher } from "./failure-publisher.ts";
import { logShift } from "./log-shift.ts";
import { openReader } from "./open-reader.ts";
import { createPacer, type Pacer } from "./pacer.ts";
import { createSourceDetector, writersOf, type SourceDetector } from "./source-detector.ts";
import { createTimeComparison } from "./time-comparison.ts";
import { createLogClock, type LogClock } from "./sources/log-clock.ts";
import { warningsOfSource, type Gap } from "./sources/source-warnings.ts";
import { createUnrecognizedLines, type UnrecognizedLines } from "./sources/unrecognized-lines.ts";
import { createSurroundings, type Surroundings } from "./sources/surroundings.ts";
import type { Reader } from "./sources/reader.ts";
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

type Phase =
  | "idle" // How lines of its jail are understood is not known yet.
  | "reading"
  | "stopped";

const NEWLINE = 10;

export function watchSource(options: WatchedSourceOptions): WatchedSource {
  return new SourceWatch(options);
}

class SourceWatch implements WatchedSource {
  readonly name: string;
  readonly #options: WatchedSourceOptions;
  readonly #log: Log;
  #phase: Phase = "idle";
  readonly #startedAt: number;
  readonly #counters = { lines: 0, failures: 0, lastLineAt: null as number | null };
  #jails: readonly Jail[] = [];
  /** The last lines that were lost. */
  #gap: Gap | undefined;
  /** The zone that the configuration names, as the checkpoint has it. */
  readonly #zoneName: string;
  readonly #clock: LogClock;
  readonly #compareTime: (chunk: Chunk) => void;
  readonly #unrecognized: UnrecognizedLines;
  readonly #detector: SourceDetector;
  readonly #pacer: Pacer = createPacer();
  readonly #reader: Reader;
  readonly #surroundings: Surroundings;

  constructor(options: WatchedSourceOptions) {
    const { config, restored, now } = options;
    this.name = config.name;
    this.#options = options;
    this.#log = options.log.child({ source: config.name });
    this.#startedAt = now();
    this.#zoneName = zoneNameOf(config.timezone);
    this.#clock = this.#createClock();
    this.#unrecognized = createUnrecognizedLines(now);
    this.#detector = this.#createDetector();
    const detector = () => this.#detector.current();
    this.#compareTime = createTimeComparison({ clock: this.#clock, detector, now });
    this.#reader = openReader(config, restored, {
      startAt: config.startAt,
      onLines: (lane, chunk) => this.#onLines(lane, chunk),
      onOverlong: () => this.#log.warn("a line of over 1 MiB was skipped"),
      onGap: (reason) => this.#noteGap(reason),
      onFailed: (reason) => this.#log.error({ reason }, "source cannot be read"),
      say: (what, facts) => this.#log.info({ ...facts }, what),
    });
    this.#surroundings = createSurroundings({
      ...{ config, now },
      jail: () => this.#jails.find(({ name }) => name === config.jail),
      quietSince: () => this.#counters.lastLineAt ?? this.#startedAt,
    });
  }

  bookmarks(): Record<string, Bookmark> {
    return this.#reader.bookmarks();
  }

  shift(): Shift {
    return { zone: this.#zoneName, shiftMs: this.#clock.shiftMs };
  }

  learn(jails: readonly Jail[]): void {
    this.#jails = jails;
    this.#detector.learn(jails);
    if (this.#phase !== "idle" || !this.#detector.current()) return;
    this.#phase = "reading";
    this.#reader.start();
  }

  look(): void {
    this.#surroundings.look();
  }

  describe(): HostStatus["sources"][number] {
    const { jail } = this.#options.config;
    const { shiftMs } = this.#clock;
    const { total } = this.#unrecognized;
    // journalctl goes on in silence where it may read nothing.
    const isReadable = this.#surroundings.journalTrouble() === undefined;
    const state = isReadable ? this.#reader.state() : "failed";
    return {
      ...{ name: this.name, jail, state, ...this.#counters, lag: this.#reader.lag() },
      ...(shiftMs !== 0 && { shift: shiftMs }),
      ...(total > 0 && { unrecognized: total }),
    };
  }

  warnings(): Warning[] {
    return warningsOfSource({
      config: this.#options.config,
      jails: this.#jails,
      gap: this.#gap,
      time: this.#clock.time,
      surroundings: this.#surroundings,
      unrecognized: this.#unrecognized.recent(),
      filter: {
        shortened: this.#detector.current()?.shortened ?? 0,
        unusable: this.#detector.unusable(),
      },
      state: this.#phase === "idle" ? "idle" : this.#reader.state(),
      trouble: this.#reader.trouble(),
      lag: this.#reader.lag(),
    });
  }

  stop(): void {
    this.#phase = "stopped";
    this.#reader.stop();
  }

  #createClock(): LogClock {
    const { config, restored } = this.#options;
    const known = restored?.shifts?.[this.name];
    return createLogClock({
      zone: zoneOrLocal(config.timezone),
      // A shift that was found for another zone says nothing.
      shiftMs: known?.zone === this.#zoneName ? known.shiftMs : 0,
      onShift: (shiftMs) => logShift(this.#log, shiftMs),
    });
  }

  #createDetector(): SourceDetector {
    const { config, ledger, onReading } = this.#options;
    const clock = this.#clock;
    const log: LogFacts = {
      get zone() {
        return clock.zone;
      },
      ...writersOf(config),
    };
    return createSourceDetector({
      ...{ source: this.name, jail: config.jail, ledger, log, onReading },
      onUnrecognized: this.#unrecognized.note,
      onUnusable: (reason) =>
        this.#log.error({ jail: config.jail, reason }, "the jail's filter cannot be used"),
    });
  }

  #noteGap(reason: string): void {
    this.#gap = { foundAt: this.#options.now(), reason };
    this.#log.warn({ reason }, "lines were lost: failures in them are not counted");
  }

  #onLines(lane: string, chunk: Chunk): Promise<void> | undefined {
    this.#compareTime(chunk);
    const { lines, from } = chunk;
    const { ledger, now } = this.#options;
    const steps = this.#detector.current()?.feedInSteps?.(lines, from, now());
    if (steps) {
      return this.#pacer
        .run(steps)
        .then((failures) => this.#publish(lane, chunk, { failures, withdrawn: [] }));
    }
    const failures = this.#detector.current()?.feed(lines, from, now()) ?? [];
    return this.#publish(lane, chunk, { failures, withdrawn: ledger.takeWithdrawn() });
  }

  /** Returns a promise where reading must wait. */
  #publish(lane: string, chunk: Chunk, found: Found): Promise<void> | undefined {
    // Nobody has been told of its place: the next start reads it again.
    if (this.#phase === "stopped") return undefined;
    const { publisher, nameOf, mark, onFound, onRead, now, config } = this.#options;
    const { jail } = config;
    const { lines, from, to, epoch } = chunk;
    const { failures, withdrawn } = found;
    if (failures.length > 0) mark(jail, failures);
    for (const failure of failures) failure.user = nameOf(failure.user);
    this.#counters.lines += countLines(lines);
    this.#counters.failures += failures.length;
    this.#counters.lastLineAt = now();
    const wait = publisher.add({ lane, source: this.name, jail, epoch, from, to, ...found });
    if (failures.length + withdrawn.length > 0) onFound(jail, found);
    onRead();
    return wait;
  }
}

/** Names the zone in a checkpoint. ICU has no name for every zone that /etc/localtime may hold. */
function zoneNameOf(timezone: string | undefined): string {
  const local: { timeZone?: string } = Intl.DateTimeFormat().resolvedOptions();
  return timezone ?? local.timeZone ?? "local";
}

function countLines(lines: Buffer): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
