/** Counts what awaits acknowledgement, and lets readers wait while that is too much. */
export class Backlog {
  /** Readers wait from this size on, until half of it is acknowledged. */
  readonly #limit: number;
  #size = 0;
  /** Readers that wait. */
  #proceed: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  size(): number {
    return this.#size;
  }

  grow(count: number): void {
    this.#size += count;
  }

  /** Returns a promise where the reader must wait. */
  wait(): Promise<void> | undefined {
    if (this.#size < this.#limit) return undefined;
    return new Promise((resolve) => this.#proceed.push(resolve));
  }

  shrink(count: number): void {
    this.#size -= count;
    if (this.#size >= this.#limit / 2) return;
    for (const proceed of this.#proceed) proceed();
    this.#proceed = [];
  }
}
