/**
 * What is asked of all bans together: which are held, how many are due, and which come next in the
 * order of their keys. There may be a million bans, so each event of the bucket changes the answers,
 * and no question looks at every ban.
 */
import type { MirrorEvent } from "../../nats/bucket-mirror.ts";
import type { Ban } from "../../wire/ban.ts";
import { BanCensus, type CountedBans } from "./ban-census.ts";
import { SortedKeys } from "./sorted-keys.ts";

export class BanIndex {
  readonly #held = new Map<string, Ban>();
  readonly #keys = new SortedKeys();
  readonly #census = new BanCensus();

  /** Every event of the bucket, in order. */
  note(event: MirrorEvent<Ban>): void {
    if (event.type === "loading" || event.type === "live") return;
    const { key, previous } = event;
    if (previous) this.#census.remove(previous);
    if (event.type !== "put") {
      this.#held.delete(key);
      this.#keys.delete(key);
      return;
    }
    this.#census.add(event.value);
    if (!previous) this.#keys.add(key);
    if (isAnyHeld(event.value)) this.#held.set(key, event.value);
    else this.#held.delete(key);
  }

  /** Bans that are held, or were until their time was over. */
  held(): Iterable<Ban> {
    return this.#held.values();
  }

  /** The keys behind `after` in their order; null: all of them. They may change meanwhile. */
  keysBehind(after: string | null): Iterable<string> {
    return this.#keys.behind(after);
  }

  countDue(now: number): CountedBans[] {
    return this.#census.countDue(now);
  }

  countInForce(now: number): number {
    const active = this.countDue(now).filter(({ state }) => state === "active");
    return active.reduce((sum, { count }) => sum + count, 0);
  }
}

/** A held ban, or a ban in force on some hosts whose widening is held, whether over or not. */
const isAnyHeld = ({ state, held }: Ban): boolean =>
  state === "held" || (state === "active" && held !== undefined);
