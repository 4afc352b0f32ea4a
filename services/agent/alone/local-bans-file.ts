/**
 * What this host has decided alone, on disk: for `fleetban-agent status`, which is another process,
 * and for the next start.
 */
import { join } from "node:path";
import * as z from "zod";
import { address, instant } from "../../wire/codec.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import { PacedWork } from "../state/paced-work.ts";
import { readState, writeState } from "../state/state-file.ts";
import type { FileHealth } from "../state/state-health.ts";

const stateOfAlone = z.object({
  v: z.literal(1),
  writtenAt: instant,
  /** Since when this host is alone; null: it is not. */
  aloneSince: instant.nullable(),
  bans: z.array(
    z.object({
      jail: z.string().regex(JAIL_NAME),
      address,
      /** When the failure happened that completed it. */
      at: instant,
      /** null: for ever. */
      until: instant.nullable(),
    }),
  ),
});
export type StateOfAlone = z.infer<typeof stateOfAlone>;

const EVERY_MS = 1_000;

const pathIn = (stateDir: string) => join(stateDir, "alone.json");

/** undefined: this host was never alone. */
export function readStateOfAlone(stateDir: string): Promise<StateOfAlone | undefined> {
  return readState(pathIn(stateDir), stateOfAlone);
}

/** Soon after each call of `changed`, writes what `describe` returns then. */
export function keepStateOfAlone(
  stateDir: string,
  describe: () => Omit<StateOfAlone, "v" | "writtenAt">,
  health: FileHealth,
): PacedWork {
  return new PacedWork(EVERY_MS, async () => {
    try {
      const state = { v: 1, writtenAt: Date.now(), ...describe() } as const;
      await writeState(pathIn(stateDir), z.encode(stateOfAlone, state));
      health.written();
      return { pauseMs: EVERY_MS, isUnfinished: false };
    } catch (error) {
      health.failed(error);
      return { pauseMs: EVERY_MS, isUnfinished: true };
    }
  });
}
