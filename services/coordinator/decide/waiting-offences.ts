/**
 * Offences of addresses that no automatic ban may touch now. One whose address is taken off the
 * allowlist while its ban would still be in force is decided then, as a coordinator that starts
 * after it and reads the failures again would do.
 */
import { banKey } from "../../wire/subjects.ts";
import type { Address } from "../../wire/address.ts";
import { isPast, type DueBan } from "./ban-queue.ts";

export interface WaitingOffences {
  add(task: DueBan): void;
  /** Takes out the offences whose addresses may be banned now. */
  takeFree(): DueBan[];
}

/** Each is some hundred bytes; an allowed network may hold any number of attackers. */
const MAX_WAITING = 10_000;

export function createWaitingOffences(
  isSpared: (address: Address, jail: string) => boolean,
  now: () => number,
): WaitingOffences {
  /** The last offence of each address, the one that has waited longest first. */
  const waiting = new Map<string, DueBan>();
  return {
    add(task) {
      const key = banKey(task.jail.name, task.offence.address);
      waiting.delete(key);
      waiting.set(key, task);
      const [oldest] = waiting.keys();
      if (waiting.size > MAX_WAITING && oldest !== undefined) waiting.delete(oldest);
    },
    takeFree() {
      const free: DueBan[] = [];
      for (const [key, task] of waiting) {
        if (isSpared(task.offence.address, task.jail.name) && !isPast(task, now())) continue;
        waiting.delete(key);
        if (!isPast(task, now())) free.push(task);
      }
      return free;
    },
  };
}
