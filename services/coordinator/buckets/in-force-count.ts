/**
 * How many bans are in force, counted along with the changes: the page asks every few seconds, and
 * nobody can count a million bans so often. A ban's end is known to the second.
 *
 * Invariant: `#lasting` is the number of active bans whose second has not been passed by `#passed`.
 */
import type { Ban } from "../../wire/ban.ts";

type Counted = Pick<Ban, "state" | "until">;

export class InForceCount {
  /** Active bans by the second in which they end. */
  readonly #ends = new Map<number, number>();
  #forEver = 0;
  #lasting = 0;
  /** Bans that end up to this second are over. */
  #passed = -Infinity;

  /** An entry has changed; undefined: there was none, or is none now. */
  change(previous: Counted | undefined, next: Counted | undefined): void {
    if (previous) this.#add(previous, -1);
    if (next) this.#add(next, 1);
  }

  /** `now` must not go back by more than a second. */
  at(now: number): number {
    const second = Math.floor(now / 1000);
    if (second > this.#passed) this.#pass(second);
    return this.#forEver + this.#lasting;
  }

  #add({ state, until }: Counted, count: 1 | -1): void {
    if (state !== "active") return;
    if (until === null) {
      this.#forEver += count;
      return;
    }
    const end = Math.ceil(until / 1000);
    const bans = (this.#ends.get(end) ?? 0) + count;
    if (bans === 0) this.#ends.delete(end);
    else this.#ends.set(end, bans);
    if (end > this.#passed) this.#lasting += count;
  }

  /** Of the seconds that have passed, or of those that are known: whichever are fewer. */
  #pass(second: number): void {
    if (second - this.#passed <= this.#ends.size) {
      for (let end = this.#passed + 1; end <= second; end += 1) {
        this.#lasting -= this.#ends.get(end) ?? 0;
      }
    } else {
      for (const [end, bans] of this.#ends) {
        if (end > this.#passed && end <= second) this.#lasting -= bans;
      }
    }
    this.#passed = second;
  }
}
