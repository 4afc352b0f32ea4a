/** How many attempts of provisional failures were withdrawn, for those who wait with such failures. */
import type { Failure } from "./failure.ts";
import type { Provisional } from "./provisional.ts";

export class WithdrawnAttempts {
  readonly #counts = new WeakMap<Provisional, number>();

  /** Each name stands for one attempt that was none; its failure may be known already or not yet. */
  note(withdrawn: Iterable<Provisional>): void {
    for (const provisional of withdrawn) {
      this.#counts.set(provisional, (this.#counts.get(provisional) ?? 0) + 1);
    }
  }

  /** What is left of its attempts; 0: it was none after all. */
  attemptsLeft({ attempts, provisional }: Failure): number {
    if (!provisional) return attempts;
    return Math.max(attempts - (this.#counts.get(provisional) ?? 0), 0);
  }
}
