/**
 * The bans in force as this host knew them last, on disk: at a boot, when the kernel has
 * forgotten them and NATS may be away, the agent puts them in force again before anybody can log in.
 *
 * The file has a line for each ban: jail, address, until (epoch milliseconds, or "ever"), by whom
 * ("decider" or "operator"). It is written in slices, so that bans do not wait for it, and not often.
 */
import { join } from "node:path";
import { parseNetwork } from "../../wire/address.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import type { HostBan } from "./ban-filter.ts";
import { PacedWork, type Outcome } from "../state/paced-work.ts";
import { readStateLines, writeStateLines } from "../state/state-file.ts";
import type { FileHealth } from "../state/state-health.ts";

export interface SavedBans {
  /** The bans have changed. */
  touch(): void;
  close(): Promise<void>;
}

export interface SavedBansOptions {
  folder: string;
  /** undefined: the bans are not known for certain now, and the file stays as it is. */
  bans: () => Iterable<HostBan> | undefined;
  /** Hears of every attempt to write. */
  health: FileHealth;
}

const EVERY_MS = 10_000;
/** Writing may take at most one SHARE-th of the time. */
const SHARE = 50;

const pathIn = (folder: string) => join(folder, "bans");

export async function readSavedBans(folder: string): Promise<HostBan[]> {
  return (await readStateLines(pathIn(folder))).flatMap((line) => parseBan(line) ?? []);
}

export function createSavedBans(options: SavedBansOptions): SavedBans {
  const writer = new SavedBansWriter(options);
  const paced = new PacedWork(EVERY_MS, () => writer.step());
  return {
    touch() {
      writer.markStale();
      paced.changed();
    },
    close: () => paced.close(),
  };
}

class SavedBansWriter {
  readonly #options: SavedBansOptions;
  /** The bans have changed since they were written. */
  #isStale = false;
  /** From the next change to the next step. */
  #pauseMs = EVERY_MS;

  constructor(options: SavedBansOptions) {
    this.#options = options;
  }

  markStale(): void {
    this.#isStale = true;
  }

  /** Writes the bans down where they have changed, and are known for certain. */
  async step(): Promise<Outcome> {
    try {
      await this.#writeIfStale();
    } catch (error) {
      this.#isStale = true;
      this.#options.health.failed(error);
      return { pauseMs: this.#pauseMs, isUnfinished: true };
    }
    return { pauseMs: this.#pauseMs, isUnfinished: false };
  }

  async #writeIfStale(): Promise<void> {
    const { folder, bans, health } = this.#options;
    const present = bans();
    if (!this.#isStale || !present) return;
    this.#isStale = false;
    const began = performance.now();
    await writeStateLines(pathIn(folder), spell(present));
    health.written();
    this.#pauseMs = Math.max(EVERY_MS, SHARE * (performance.now() - began));
  }
}

function* spell(bans: Iterable<HostBan>): Iterable<string> {
  for (const { jail, address, until, by } of bans) {
    yield `${jail} ${address} ${until ?? "ever"} ${by === "decider" ? by : "operator"}`;
  }
}

/** undefined: this is no such line; a file of another version, perhaps. */
function parseBan(line: string): HostBan | undefined {
  const [jail = "", spelled = "", end = "", by = "", ...more] = line.split(" ");
  const address = parseNetwork(spelled);
  const isRight = JAIL_NAME.test(jail) && /^(?:\d{1,15}|ever)$/.test(end) && more.length === 0;
  if (!isRight || address === undefined || (by !== "decider" && by !== "operator"))
    return undefined;
  return { jail, address, state: "active", until: end === "ever" ? null : Number(end), by };
}
