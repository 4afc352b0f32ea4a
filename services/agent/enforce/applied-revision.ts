/**
 * The newest revision of the bucket whose bans the kernel has. `ban add --wait` waits for it.
 *
 * While all bans are replaced, changes are brought in beside. What they reach counts only when the
 * replacement is done, because until then older bans may be missing in the kernel.
 */
export class AppliedRevision {
  readonly #now: () => number;
  #revision = 0;
  /** When the kernel had it; null: it has none yet. */
  #appliedAt: number | null = null;
  /** The newest revision whose changes were brought in beside the present replacement. */
  #beside = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get revision(): number {
    return this.#revision;
  }

  get appliedAt(): number | null {
    return this.#appliedAt;
  }

  /** `last`: the bucket's highest revision. If NATS has lost its end, it counts again from there. */
  startReading(last: number, isSameBucket: boolean): void {
    this.#revision = isSameBucket ? Math.min(this.#revision, last) : 0;
  }

  note(revision: number): void {
    if (this.#revision !== revision) this.#appliedAt = this.#now();
    this.#revision = revision;
  }

  startReplacing(): void {
    this.#beside = 0;
  }

  noteBeside(revision: number): void {
    this.#beside = revision;
  }

  /** What a replacement has reached that began when `revision` was read. */
  withBeside(revision: number): number {
    return Math.max(revision, this.#beside);
  }
}
