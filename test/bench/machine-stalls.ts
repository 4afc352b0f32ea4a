/**
 * When the machine itself stood still. A virtual machine may lose a processor for a tenth of a
 * second, and everything that runs on it then waits: that says nothing of what is measured.
 *
 * On every processor a process of real-time priority sleeps for a moment, again and again. Nothing of
 * this machine keeps such a process waiting, so where it wakes up late, the machine was away.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

/** From when until when, in milliseconds of the monotonic clock. */
export interface Span {
  from: number;
  until: number;
}

const WATCHER = resolve(import.meta.dirname, "machine-stalls-watcher.ts");

export class MachineStalls {
  readonly #stalls: Span[] = [];
  readonly #watchers = Array.from({ length: availableParallelism() }, (_, processor) => {
    const node = [process.execPath, "--import", "tsx", WATCHER, "watch"];
    const args = ["--fifo", "50", "taskset", "--cpu-list", String(processor), ...node];
    const child = spawn("chrt", args, { stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [from = 0, until = 0] = line.split(" ").map(Number);
      this.#stalls.push({ from, until });
    });
    return child;
  });

  /** Whether a processor was away at any time of the span. */
  isIn({ from, until }: Span): boolean {
    return this.#stalls.some((stall) => stall.from < until && stall.until > from);
  }

  stop(): void {
    for (const watcher of this.#watchers) watcher.kill("SIGKILL");
  }
}
