/**
 * All bans that the kernel is to have while they take the place of those that it has: collected
 * ban by ban, and then handed over at once.
 *
 * Changes go on beside, and are newer. Those that come before the handing-over are part of it; the
 * firewall brings in the later ones by itself.
 */
import type { TimedBan } from "./firewall/firewall.ts";

export class BanReplacement {
  readonly #wanted = new Map<string, TimedBan>();
  /** The keys of `#wanted`: to collect 100,000 of them at the end would take 10 ms. */
  readonly #keys = new Set<string>();
  /** What has changed beside since the last merge; undefined: the ban is over. */
  readonly #changes = new Map<string, TimedBan | undefined>();

  want(key: string, ban: TimedBan | undefined): void {
    if (ban) {
      this.#wanted.set(key, ban);
      this.#keys.add(key);
    } else {
      this.#wanted.delete(key);
      this.#keys.delete(key);
    }
  }

  /** Without `ban`, the ban is over. */
  change(key: string, ban: TimedBan | undefined): void {
    this.#changes.set(key, ban);
  }

  /** The firewall has not made the change. */
  takeChangeBack(key: string): void {
    this.#changes.delete(key);
  }

  isChanged(key: string): boolean {
    return this.#changes.has(key);
  }

  /** Whether the kernel will have the ban; undefined: what the kernel has now decides about it. */
  willHave(key: string): boolean | undefined {
    if (this.#changes.has(key)) return this.#changes.get(key) !== undefined;
    return this.#wanted.has(key) || undefined;
  }

  /** Everything that is wanted by now, to be handed to the firewall. */
  complete(): TimedBan[] {
    this.#merge();
    return [...this.#wanted.values()];
  }

  /** The keys of the bans that the kernel has when the firewall has replaced them. */
  keys(): Set<string> {
    this.#merge();
    return this.#keys;
  }

  #merge(): void {
    for (const [key, ban] of this.#changes) this.want(key, ban);
    this.#changes.clear();
  }
}
