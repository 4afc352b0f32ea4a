/** New bans of the last minute, by the host that causes them. */

export const MINUTE_MS = 60_000;

export class RecentBans {
  readonly #now: () => number;
  /** The oldest first. */
  readonly #bans = new Map<string, { at: number; cause: string }>();
  readonly #byHost = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `key` names the ban, and `cause` is the host that causes it. */
  note(key: string, at: number, cause: string): void {
    this.#forget(key);
    this.#bans.set(key, { at, cause });
    this.#add(cause, 1);
  }

  has(key: string): boolean {
    return this.#bans.has(key);
  }

  /** How many bans there are, and how many of them `cause` has caused. */
  count(cause: string): { all: number; ofHost: number } {
    this.#forgetOld();
    return { all: this.#bans.size, ofHost: this.#byHost.get(cause) ?? 0 };
  }

  #forgetOld(): void {
    for (const [key, { at }] of this.#bans) {
      if (at > this.#now() - MINUTE_MS) return;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    const known = this.#bans.get(key);
    if (known && this.#bans.delete(key)) this.#add(known.cause, -1);
  }

  #add(cause: string, step: 1 | -1): void {
    const left = (this.#byHost.get(cause) ?? 0) + step;
    if (left > 0) this.#byHost.set(cause, left);
    else this.#byHost.delete(cause);
  }
}
