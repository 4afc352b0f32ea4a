/**
 * Keys that wait, by host. Hosts take turns: one that brings thousands of keys delays the key of
 * another host by one.
 */
export class HostTurns {
  /** The host whose turn it is comes first. No set is empty. */
  readonly #waiting = new Map<string, Set<string>>();

  add(key: string, host: string): void {
    const waiting = this.#waiting.get(host);
    if (waiting) waiting.add(key);
    else this.#waiting.set(host, new Set([key]));
  }

  /** Removes the key whose turn it is, and returns it; undefined: none waits. */
  take(): string | undefined {
    for (const [host, waiting] of this.#waiting) {
      this.#waiting.delete(host);
      const [key] = waiting;
      if (key === undefined) continue;
      waiting.delete(key);
      if (waiting.size > 0) this.#waiting.set(host, waiting);
      return key;
    }
    return undefined;
  }
}
