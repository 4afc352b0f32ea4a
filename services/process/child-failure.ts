import type { ChildProcess } from "node:child_process";

/** Rejects when the process cannot be started or ended, for whoever waits for what it prints. */
export function failureOf(child: ChildProcess): Promise<never> {
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {}); // Nobody may wait for it any more.
  return failed;
}
