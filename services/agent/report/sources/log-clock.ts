/**
 * The clock of a log, as its own lines show it. A line that is read as soon as it is written has a
 * stamp of now; a stamp that does not say its zone may be of another zone than the one that the
 * agent takes it for, because Dovecot or the agent runs in a container, or another machine writes
 * the log. Failures would then count hours too early or too late, and nobody would be banned.
 *
 * A steady difference of whole quarters of an hour is another time zone, and is corrected. Any
 * other steady difference is a clock that is wrong, and is only reported. One line proves
 * nothing: it may have been delayed on its way into the log.
 */
import { shiftedZone, type Zone } from "../../../detection/lines/zone.ts";
import type { WrittenAt } from "../../../detection/lines/timestamp.ts";

/** What the last lines have shown. */
export type LogTime =
  | { state: "unknown" } // Not enough lines have been seen as they were written.
  | { state: "right" }
  | { state: "shifted" } // The log is of another time zone, and its stamps are corrected.
  | { state: "wrong"; aheadMs: number }; // Its stamps differ from this clock, and from every time zone.

export interface LogClock {
  /** The zone of stamps that do not say theirs, as far as it is known. */
  readonly zone: Zone;
  readonly time: LogTime;
  /** Milliseconds that are added to stamps without a zone, a multiple of a quarter of an hour. */
  readonly shiftMs: number;
  /** Takes the stamp of a line that was written just before `readAt`, epoch milliseconds. */
  observe(written: WrittenAt, readAt: number): void;
}

export interface LogClockOptions {
  /** The zone that stamps without a zone are taken for. */
  zone: Zone;
  /** The shift that was known at the last run. */
  shiftMs?: number | undefined;
  /** The shift has changed, and is certain. */
  onShift: (shiftMs: number) => void;
}

/** This many lines in a row must agree. */
const LINES = 3;
/** Lines agree when their differences are within that. */
const STEADY_MS = 20_000;
/** A smaller difference is the way of a line into the log, or a clock that is a little wrong. */
const SLACK_MS = 60_000;
const QUARTER_MS = 900_000;
/** No two time zones are further apart. */
const LARGEST_SHIFT_MS = 26 * 3_600_000;

/** How far the stamp of a line is ahead of this clock. */
interface Difference {
  aheadMs: number;
  /** Does the stamp say its zone? */
  hasZone: boolean;
}

export function createLogClock(options: LogClockOptions): LogClock {
  return new ClockOfLines(options);
}

class ClockOfLines implements LogClock {
  readonly #options: LogClockOptions;
  /** What was seen of the last lines. */
  #seen: Difference[] = [];
  time: LogTime;
  shiftMs: number;
  zone: Zone;
  /** The last shift that was certain. */
  #certainShiftMs: number;

  constructor(options: LogClockOptions) {
    const { zone, shiftMs = 0 } = options;
    this.#options = options;
    this.time = shiftMs === 0 ? { state: "unknown" } : { state: "shifted" };
    this.shiftMs = shiftMs;
    this.zone = shiftMs === 0 ? zone : shiftedZone(zone, shiftMs);
    this.#certainShiftMs = shiftMs;
  }

  observe({ at, hasZone }: WrittenAt, readAt: number): void {
    const aheadMs = (hasZone ? at : at - this.shiftMs) - readAt;
    this.#seen = [...this.#seen, { aheadMs, hasZone }].slice(-LINES);
    const steady = steadyDifference(this.#seen);
    if (!steady) return;
    const isCertain = this.#seen.length === LINES;
    const needed = shiftFor(steady);
    // Until something is certain the first lines are taken at their word: a line that was delayed
    // by just some quarters of an hour is rarer than a log of another zone.
    const isShifted = isCertain || this.time.state === "unknown";
    if (needed !== undefined && isShifted) this.#shiftBy(needed);
    if (isCertain) this.#noteCertain(steady, needed);
  }

  #shiftBy(ms: number): void {
    if (ms === this.shiftMs) return;
    const { zone } = this.#options;
    this.shiftMs = ms;
    this.zone = ms === 0 ? zone : shiftedZone(zone, ms);
  }

  /** Enough lines agree. `needed` is the shift that makes them right; undefined: none does. */
  #noteCertain({ aheadMs }: Difference, needed: number | undefined): void {
    if (needed === undefined) {
      this.time = Math.abs(aheadMs) > SLACK_MS ? { state: "wrong", aheadMs } : { state: "right" };
      return;
    }
    this.time = { state: needed === 0 ? "right" : "shifted" };
    if (needed === this.#certainShiftMs) return;
    this.#certainShiftMs = needed;
    this.#options.onShift(needed);
  }
}

/** The difference on which all lines that were seen agree; undefined: they do not. */
function steadyDifference(seen: readonly Difference[]): Difference | undefined {
  const [first] = seen;
  if (!first || seen.some(({ hasZone }) => hasZone !== first.hasZone)) return undefined;
  const all = seen.map(({ aheadMs }) => aheadMs).toSorted((a, b) => a - b);
  const [least = 0, middle = 0, most = 0] = [all[0], all[all.length >> 1], all.at(-1)];
  return most - least > STEADY_MS ? undefined : { aheadMs: middle, hasZone: first.hasZone };
}

/** The shift that makes such stamps right; undefined: none does. */
function shiftFor({ aheadMs, hasZone }: Difference): number | undefined {
  const quarters = Math.round(aheadMs / QUARTER_MS);
  const rest = Math.abs(aheadMs - quarters * QUARTER_MS);
  const shift = quarters === 0 ? 0 : -quarters * QUARTER_MS;
  return hasZone || rest > SLACK_MS || Math.abs(shift) > LARGEST_SHIFT_MS ? undefined : shift;
}
