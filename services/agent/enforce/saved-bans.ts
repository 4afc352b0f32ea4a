/**
 * The bans in force as this host knew them last, on disk: at a boot, when the kernel has
 * forgotten them and NATS may be away, they are in force again before anybody can log in.
 *
 * A line for each: jail, address, until (epoch milliseconds, or "ever"), by whom ("decider" or
 * "operator"). Written in slices, so that bans do not wait for it, and not often.
 */
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Log } from "../../process/log.ts";
import { parseNetwork } from "../../wire/address.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import type { HostBan } from "./ban-filter.ts";
import { readStateLines, writeStateLines } from "../state/state-file.ts";
import { storageTrouble, type FileHealth } from "../state/state-health.ts";

export interface SavedBans {
  /** They have changed. */
  touch(): void;
  close(): Promise<void>;
}

export interface SavedBansOptions {
  folder: string;
  /** undefined: not known for certain now, the file stays as it is. */
  bans: () => Iterable<HostBan> | undefined;
  /** Hears of every attempt to write that the storage has let down or let through. */
  health: FileHealth;
  log: Log;
}

const EVERY_MS = 10_000;
/** Writing may take one part in this many of the time. */
const SHARE = 50;

const pathIn = (folder: string) => join(folder, "bans");

export async function readSavedBans(folder: string): Promise<HostBan[]> {
  return (await readStateLines(pathIn(folder))).flatMap((line) => parseBan(line) ?? []);
}

export function createSavedBans({ folder, bans, health, log }: SavedBansOptions): SavedBans {
  let timer: NodeJS.Timeout | undefined;
  let pause = EVERY_MS;
  let writing: Promise<unknown> = Promise.resolve();
  let isTouched = false;
  let isClosed = false;
  let said = "";

  async function write(): Promise<void> {
    timer = undefined;
    const present = bans();
    if (!isTouched || !present) return;
    isTouched = false;
    const began = performance.now();
    await writeStateLines(pathIn(folder), spell(present));
    health.written();
    pause = Math.max(EVERY_MS, SHARE * (performance.now() - began));
  }

  function run(): Promise<unknown> {
    writing = writing.then(write).then(
      () => (said = ""),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (storageTrouble(error) !== undefined) health.failed(error);
        else if (reason !== said)
          log.error({ reason }, "bans cannot be kept on disk, keeps trying");
        said = reason;
        isTouched = true;
        if (!isClosed) timer ??= setTimeout(() => void run(), pause);
      },
    );
    return writing;
  }

  return {
    touch() {
      isTouched = true;
      timer ??= setTimeout(() => void run(), pause);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      return run().then(() => {});
    },
  };
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
