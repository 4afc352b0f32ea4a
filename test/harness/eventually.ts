import { setTimeout as pause } from "node:timers/promises";

/**
 * Waits until `condition` returns something other than undefined and false,
 * and returns that. Fails with `what` and the last error after `seconds`.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  seconds = 10,
): Promise<Exclude<Awaited<T>, undefined | false>> {
  const deadline = performance.now() + seconds * 1000;
  let cause: unknown;
  for (;;) {
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
      throw new Error(`not within ${seconds} s: ${what}`, { cause });
    }
    await pause(5);
  }
}
