import { setTimeout as pause } from "node:timers/promises";

/** A test says how long a wait takes at most on an idle machine. A busy one may need so many times that. */
const BUSY_FACTOR = 3;
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 250;

/**
 * Waits until `condition` returns something other than undefined and false,
 * and returns that. Fails with `what` and the last error after `seconds` of an idle machine.
 *
 * A pause is three times as long as the condition took, and at least a twentieth of the time so far:
 * a wait leaves the processor to the programs that the test waits for.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  seconds = 20,
): Promise<Exclude<Awaited<T>, undefined | false>> {
  const start = performance.now();
  const deadline = start + seconds * BUSY_FACTOR * 1000;
  let cause: unknown;
  for (;;) {
    const began = performance.now();
    try {
      const value = await condition();
      if (value !== undefined && value !== false) {
        return value as Exclude<Awaited<T>, undefined | false>;
      }
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${seconds * BUSY_FACTOR} s: ${what}`, { cause });
    }
    const now = performance.now();
    const wanted = Math.max(3 * (now - began), (now - start) / 20, SHORTEST_PAUSE_MS);
    await pause(Math.min(wanted, LONGEST_PAUSE_MS));
  }
}
