/** How `fleetban-agent setup` looks at this machine; it changes nothing. */
import { execFile } from "node:child_process";
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { homedir } from "node:os";

export interface Lookups {
  /** What the command prints, trimmed; undefined: it is not there, or it fails. Never through a shell. */
  run(command: string, ...args: string[]): Promise<string | undefined>;
  exists(path: string): boolean;
  /** The last lines of a file, the oldest first; undefined: it cannot be read. */
  tail(path: string): string[] | undefined;
}

const WITHIN_MS = 10_000;
const TAIL_BYTES = 4_000_000;
const MAX_OUTPUT = 64_000_000;

export function createLookups(path = ""): Lookups {
  // doveconf and iptables lie in sbin, where sudo may not look.
  const env = { PATH: `${path}:/usr/local/sbin:/usr/sbin:/sbin`, HOME: homedir(), LC_ALL: "C" };
  return {
    run: (command, ...args) =>
      new Promise((resolve) => {
        const options = { env, timeout: WITHIN_MS, maxBuffer: MAX_OUTPUT };
        execFile(command, args, options, (error, stdout) => {
          resolve(error ? undefined : stdout.trim());
        });
      }),
    exists: existsSync,
    tail: readTail,
  };
}

function readTail(path: string): string[] | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const length = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.subarray(0, length).toString("latin1").split("\n").slice(0, -1);
    return size > TAIL_BYTES ? lines.slice(1) : lines;
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
