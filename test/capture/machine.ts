/** A light host of its own with a real Dovecot: overlay, chroot, namespaces. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startChild, untilReady } from "../../services/standalone/child.ts";
import type { Namespace } from "../harness/netns.ts";
import type { Configuration } from "./configuration.ts";
import { filesOf } from "./machine-files.ts";

export interface Machine {
  /** What is in this log of its. */
  read(log: string): Buffer;
  stop(): Promise<void>;
}

/** `root`: the Debian that it is made of; `folder`: its own, for what it needs and writes. */
export async function startMachine(
  host: Namespace,
  root: string,
  folder: string,
  configuration: Configuration,
): Promise<Machine> {
  for (const each of ["conf", "log", "layer"]) mkdirSync(join(folder, each), { recursive: true });
  for (const [name, text] of Object.entries(filesOf(configuration))) {
    writeFileSync(join(folder, "conf", name), text);
  }
  chmodSync(join(folder, "conf", "check"), 0o755);
  const child = await startChild("unshare", {
    args: [
      ...["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"],
      ...["bash", join(import.meta.dirname, "machine.sh"), root, folder],
    ],
    spawn: host.spawn,
  });
  const read = (log: string) => {
    const path = join(folder, "log", log);
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  };
  await untilReady("dovecot", child, () =>
    Promise.resolve(read("mail.log").includes("starting up for")),
  );
  return { read, stop: () => child.stop("SIGKILL") };
}
