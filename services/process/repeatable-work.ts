/**
 * Work that is asked for from several sides, and that never runs twice at a time. A call while it
 * runs makes it run once more.
 */
export class RepeatableWork {
  readonly #work: () => Promise<void>;
  #phase: "idle" | "running" | "asked-again" | "stopped" = "idle";

  /** `work` must not throw. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  async ask(): Promise<void> {
    if (this.#phase === "running") this.#phase = "asked-again";
    if (this.#phase !== "idle") return;
    do {
      this.#phase = "running";
      await this.#work();
    } while (this.#isAskedAgain());
    if (!this.isStopped()) this.#phase = "idle";
  }

  /** The work that is under way ends by itself, and no other begins. */
  stop(): void {
    this.#phase = "stopped";
  }

  isStopped(): boolean {
    return this.#phase === "stopped";
  }

  #isAskedAgain(): boolean {
    return this.#phase === "asked-again";
  }
}
