/**
 * Compares the time stamps of fresh lines with this host's clock, so that the clock of the log is
 * known (see log-clock.ts). Once it is known, a few lines a second are enough.
 */
import type { Detector } from "../../detection/dovecot-detector.ts";
import type { LogClock } from "./sources/log-clock.ts";
import type { Chunk } from "./sources/source.ts";

const COMPARE_EVERY_MS = 1_000;
/** At most this many of the last lines of a chunk are compared. */
const COMPARED_LINES = 3;
const TAIL_BYTES = 16_384;

export interface TimeComparisonOptions {
  clock: LogClock;
  /** What understands the lines; undefined: nobody can tell how yet. */
  detector: () => Pick<Detector, "writtenAt"> | undefined;
  now: () => number;
}

export function createTimeComparison(options: TimeComparisonOptions): (chunk: Chunk) => void {
  const { clock, detector, now } = options;
  let comparedAt: number | undefined;

  return ({ lines, isFresh }) => {
    const at = now();
    const isRecent = comparedAt !== undefined && at - comparedAt < COMPARE_EVERY_MS;
    if (!isFresh || (isRecent && clock.time.state !== "unknown")) return;
    comparedAt = at;
    for (const line of lastLines(lines, COMPARED_LINES)) {
      const written = detector()?.writtenAt(line, at);
      if (written) clock.observe(written, at);
    }
  };
}

/** The last lines of a chunk, the oldest first. */
function lastLines(lines: Buffer, count: number): string[] {
  const pieces = lines.subarray(-TAIL_BYTES).toString("utf8").split("\n").slice(0, -1);
  const whole = lines.length > TAIL_BYTES ? pieces.slice(1) : pieces;
  return whole.slice(-count);
}
