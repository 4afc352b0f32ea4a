/**
 * Runs work that may take long in small steps, so that bans never wait for it: other work of the
 * agent gets its turn after every slice, and of each second at most a half is spent. What is not
 * done then waits, and nothing is lost.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";

export interface Pacer {
  /** Resolves with what the steps return. */
  run<T>(steps: Iterator<undefined, T, undefined>): Promise<T>;
}

export interface PacerOptions {
  /** Milliseconds, from any beginning. */
  clock: () => number;
  pause: (ms: number) => Promise<unknown>;
}

const SLICE_MS = 5;
const WINDOW_MS = 1_000;
const BUDGET_MS = 500;

export function createPacer({ clock, pause }: PacerOptions = REAL): Pacer {
  let windowEndsAt = -Infinity;
  /** Milliseconds of this window that are spent. */
  let spent = 0;

  async function rest(at: number): Promise<void> {
    if (spent < BUDGET_MS) {
      await nextTurn();
      return;
    }
    await pause(windowEndsAt - at);
  }

  return {
    async run(steps) {
      for (;;) {
        const began = clock();
        if (began >= windowEndsAt) [windowEndsAt, spent] = [began + WINDOW_MS, 0];
        let step = steps.next();
        while (!step.done && clock() - began < SLICE_MS) step = steps.next();
        const ended = clock();
        spent += ended - began;
        if (step.done) return step.value;
        await rest(ended);
      }
    },
  };
}

const REAL: PacerOptions = {
  clock: () => performance.now(),
  pause: (ms) => sleep(Math.max(ms, 1)),
};
