/**
 * A file system of a few megabytes that a test fills and empties. It is mounted in a mount
 * namespace of its own, which ends with the last process inside: nothing is left to unmount.
 */
import { spawn } from "node:child_process";
import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startChild, type Spawn } from "../../services/standalone/child.ts";
import { eventually } from "./eventually.ts";

export interface SmallDisk extends AsyncDisposable {
  /** Starts a program that sees it. */
  spawn: Spawn;
  /** A path on it, as it is to be reached from outside. */
  outside(path: string): string;
  /** Takes all space that is left. */
  fill(): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
}

/** Mounts it over `folder`, with what is in there. */
export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  const script = `
    mount -t tmpfs -o size=${megabytes}m,mode=700 fleetban-test /mnt &&
    cp -a "$0/." /mnt && mount --move /mnt "$0" && touch "$0/mounted" && exec sleep infinity`;
  const holder = await startChild("unshare", { args: ["--mount", "sh", "-ec", script, folder] });
  const outside = (path: string) => join(`/proc/${holder.pid}/root`, folder, path);
  await eventually("the disk is mounted", async () => (await stat(outside("mounted"))).isFile());
  const filler = outside("filler");
  return {
    outside,
    spawn: (command, args, options) =>
      spawn("nsenter", [`--mount=/proc/${holder.pid}/ns/mnt`, command, ...args], options),
    async fill() {
      try {
        await writeFile(filler, Buffer.alloc(megabytes * 2 ** 20));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
        throw error;
      }
      throw new Error("the disk took more than it should hold");
    },
    free: () => rm(filler, { force: true }),
    [Symbol.asyncDispose]: () => holder.stop("SIGKILL"),
  };
}
