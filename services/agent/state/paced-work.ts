/**
 * Work that writes this host's state down: soon after something has changed, and never often.
 *
 * Invariants:
 * - Two runs of the work never overlap.
 * - However often something changes, between two runs lies the pause that the earlier one asked for.
 */
export interface Outcome {
  /** From the next change to the next run. */
  pauseMs: number;
  /** The work could not be done, and is to be tried again although nothing changes. */
  isUnfinished: boolean;
}

export class PacedWork {
  readonly #work: () => Promise<Outcome>;
  /** From a change to the run that it brings. */
  #pauseMs: number;
  /** The run that is to come; undefined: nothing has changed since the last run began. */
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when the last run is over. */
  #runs: Promise<void> = Promise.resolve();
  /** Nothing is scheduled any more. */
  #isClosed = false;

  /** `work` must not throw. */
  constructor(firstPauseMs: number, work: () => Promise<Outcome>) {
    this.#pauseMs = firstPauseMs;
    this.#work = work;
  }

  /** Something has changed. */
  changed(): void {
    if (this.#isClosed) return;
    // It does not keep alive a process that has nothing else to do: `close` runs what is left.
    this.#timer ??= setTimeout(() => void this.run(), this.#pauseMs).unref();
  }

  /** Does the work now, after a run that is under way. */
  run(): Promise<void> {
    this.#runs = this.#runs.then(async () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      const { pauseMs, isUnfinished } = await this.#work();
      this.#pauseMs = pauseMs;
      if (isUnfinished) this.changed();
    });
    return this.#runs;
  }

  /** Does the work once more, and never again by itself. */
  close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    return this.run();
  }
}
