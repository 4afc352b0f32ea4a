/**
 * Where a generator's choices come from. A property of fast-check gives a tape of numbers, which it
 * can make shorter and smaller when a line fails; the long run gives a fast pseudo-random sequence.
 */
export interface Choices {
  /** A whole number from 0 to `count` - 1. 0 is the plainest choice. */
  below(count: number): number;
}

/** After its end, a tape chooses the plainest: a shorter tape makes a plainer line. */
export function choicesOfTape(tape: readonly number[]): Choices {
  let index = 0;
  return { below: (count) => (tape[index++] ?? 0) % count };
}

/** Mulberry32: the same seed makes the same lines on every machine. */
export function choicesOfSeed(seed: number): Choices {
  let state = seed >>> 0;
  return {
    below(count) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
    },
  };
}

export function pick<T>(choices: Choices, from: readonly T[]): T {
  const chosen = from[choices.below(from.length)];
  if (chosen === undefined) throw new Error("pick: there is nothing to choose from");
  return chosen;
}
