/** Whether the stamps of a log are of the time zone that the agent takes them for. */
import type { WrittenAt } from "../../detection/lines/timestamp.ts";

/** The clocks of two machines, and the way of a line into a file, differ by less. */
const SLACK_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A file that was written later than that may have been touched by something else than a line. */
const LARGEST_SHIFT_MS = 26 * HOUR_MS;

/**
 * Compares the stamp of a log's last line with the time at which the file was changed; undefined:
 * nothing is wrong, or nothing can be told.
 */
export function zoneTrouble(last: WrittenAt | undefined, changedAt: number): string | undefined {
  if (last === undefined || last.hasZone) return undefined;
  const ahead = last.at - changedAt;
  if (Math.abs(ahead) < SLACK_MS || Math.abs(ahead) > LARGEST_SHIFT_MS) return undefined;
  const quarters = Math.round(ahead / (HOUR_MS / 4));
  if (quarters === 0 || Math.abs(ahead - quarters * (HOUR_MS / 4)) > SLACK_MS) return undefined;
  const way = quarters > 0 ? "ahead of" : "behind";
  return (
    `the stamp of its last line is ${Math.abs(quarters) / 4} h ${way} the time of the file: the log is of ` +
    "another time zone; give it as the source's timezone"
  );
}
