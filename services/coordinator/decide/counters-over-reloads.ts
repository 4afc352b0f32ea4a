/**
 * The counters of the deciders that were in use one after the other. A decider that takes the place of
 * another has counted failures again that the first one had counted: they count once.
 */
import type { DeciderCounters } from "./decider.ts";
import { FailureCounts } from "./failure-counts.ts";

export class CountersOverReloads implements DeciderCounters {
  /** Those of the decider in use. */
  readonly #present: () => DeciderCounters;
  /** Counted by deciders that are no longer in use, beyond what the present one has counted. */
  readonly #before = new FailureCounts();
  #undecodableBefore = 0;
  readonly failures: DeciderCounters["failures"];

  constructor(present: () => DeciderCounters) {
    const before = this.#before;
    this.#present = present;
    this.failures = {
      get total() {
        return before.total + present().failures.total;
      },
      *entries() {
        const all = new FailureCounts();
        for (const count of before.entries()) all.add(count);
        for (const count of present().failures.entries()) all.add(count);
        yield* all.entries();
      },
    };
  }

  /** A decider takes the place of another. */
  replace(old: DeciderCounters, next: DeciderCounters): void {
    this.#undecodableBefore += old.undecodable - next.undecodable;
    for (const count of old.failures.entries()) this.#before.add(count);
    for (const count of next.failures.entries()) {
      this.#before.add({ ...count, attempts: -count.attempts });
    }
  }

  get undecodable(): number {
    return this.#undecodableBefore + this.#present().undecodable;
  }

  tracked(): number {
    return this.#present().tracked();
  }

  due(): number {
    return this.#present().due();
  }
}
