/** `watch` prints when its processor was away, a line each time: from when, until when. */
import { writeSync } from "node:fs";

/** The clock that all processes of this machine share, in milliseconds. */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const REST_MS = 2;
const LATE_MS = 10;

/** Ends with the bench, also where somebody has killed the bench. */
function watch(): void {
  const bench = process.ppid;
  const never = new Int32Array(new SharedArrayBuffer(4));
  let before = monotonicMs();
  while (process.ppid === bench) {
    Atomics.wait(never, 0, 0, REST_MS);
    const now = monotonicMs();
    if (now - before > LATE_MS) writeSync(1, `${before} ${now}\n`);
    before = now;
  }
}

if (process.argv[2] === "watch") watch();
