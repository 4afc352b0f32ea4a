/** By how much the time stamps of a log are moved: as the agent's log says it. */
import { formatDuration } from "../../config/duration.ts";
import type { Log } from "../../process/log.ts";

export function logShift(log: Log, shiftMs: number): void {
  const moved = describeShift(shiftMs);
  if (shiftMs === 0) log.warn("time stamps of this log are of the expected time zone again");
  else log.warn({ moved }, "time stamps of this log are of another time zone, and are corrected");
}

/** "5h later", "30m earlier". */
function describeShift(shiftMs: number): string {
  const amount = formatDuration(Math.abs(shiftMs) / 1000);
  return shiftMs > 0 ? `${amount} later` : `${amount} earlier`;
}
