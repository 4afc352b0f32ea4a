/** How many failed attempts were counted, by jail and host. */

export interface FailureCount {
  jail: string;
  host: string;
  attempts: number;
}

export class FailureCounts {
  /** Attempts by host, by jail. */
  readonly #jails = new Map<string, Map<string, number>>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** `attempts` may be negative, where another count takes the place of this one. */
  add({ jail, host, attempts }: FailureCount): void {
    this.#total += attempts;
    const hosts = this.#jails.get(jail) ?? new Map<string, number>();
    this.#jails.set(jail, hosts);
    hosts.set(host, (hosts.get(host) ?? 0) + attempts);
  }

  *entries(): Generator<FailureCount> {
    for (const [jail, hosts] of this.#jails) {
      for (const [host, attempts] of hosts) yield { jail, host, attempts };
    }
  }
}
