/**
 * One machine booted with systemd-nspawn: Debian with its own systemd, journal and sshd, on an
 * overlay over an image, in a network namespace of the test. The overlay is mounted in a mount
 * namespace that ends with the machine; what outlives it are its files and its control groups,
 * which `discard` removes, and the end of this process at the latest.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run, type Run } from "../../services/agent/enforce/firewall/command.ts";
import { startChild, type Child } from "../../services/standalone/child.ts";
import { eventually } from "./eventually.ts";
import type { Namespace } from "./netns.ts";

export interface GuestMachine {
  /** Runs a command inside as root and returns its stdout. */
  run: Run;
  /** Until systemd has started everything. */
  boot(): Promise<void>;
  /** As `poweroff` does. */
  shutDown(): Promise<void>;
  /** As if the power failed. */
  crash(): Promise<void>;
  /** Removes everything that is left of it; no machine must be running. */
  discard(): void;
}

/** Where machines may have control groups: a hierarchy of systemd's own, or the only one. */
const HIERARCHIES = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"].filter((folder) =>
  existsSync(join(folder, "cgroup.procs")),
);
if (HIERARCHIES.length === 0 && existsSync("/sys/fs/cgroup/cgroup.procs")) {
  HIERARCHIES.push("/sys/fs/cgroup");
}
export const hasControlGroups = HIERARCHIES.length > 0;

/** Joins the groups named up to "--", lays the overlay, becomes the machine. */
const START = `
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done
mount -t overlay overlay -o "lowerdir=$2,upperdir=$3/upper,workdir=$3/work" "$3/root"
shift 3
exec systemd-nspawn "$@"
`;

const SECONDS_TO_BOOT = 60;
const MS_TO_END = 15_000;

const alive = new Set<() => void>();
let guarded = false;

/** `folder` has a folder `upper` with what differs from the image. */
export function createGuestMachine(options: {
  name: string;
  hostname: string;
  image: string;
  folder: string;
  namespace: Namespace;
}): GuestMachine {
  const { name, hostname, image, folder, namespace } = options;
  const groups = HIERARCHIES.map((hierarchy) => join(hierarchy, name));
  let child: Child | undefined;
  let init: number | undefined;

  if (!guarded) {
    guarded = true;
    process.on("exit", () => {
      for (const end of alive) end();
    });
  }
  const discard = () => {
    alive.delete(endAtOnce);
    for (const group of groups) removeGroup(group);
    rmSync(folder, { recursive: true, force: true });
  };
  const endAtOnce = () => {
    if (child) kill(child.pid);
    if (init !== undefined) kill(init);
    discard();
  };
  alive.add(endAtOnce);

  const inside: Run = (command, args, stdin) => {
    if (init === undefined) throw new Error(`${hostname}: is not running`);
    return run("nsenter", ["--target", String(init), "--all", "--", command, ...args], stdin);
  };

  async function end(signal: NodeJS.Signals): Promise<void> {
    await child?.stop(signal, MS_TO_END);
    child = undefined;
    const ended = init;
    if (ended !== undefined) {
      kill(ended); // it dies with systemd-nspawn, but not at once
      await eventually(`${hostname} has ended`, () => !existsSync(`/proc/${ended}`));
    }
    init = undefined;
    for (const group of groups) removeGroup(group);
  }

  return {
    run: inside,
    async boot() {
      for (const part of ["upper", "work", "root"]) {
        mkdirSync(join(folder, part), { recursive: true });
      }
      for (const group of groups) mkdirSync(group, { recursive: true });
      const flags = [
        "--quiet",
        // This machine's systemd, if it has one, need not know.
        ...["--register=no", "--keep-unit"],
        `--machine=${name}`,
        `--hostname=${hostname}`,
        `--directory=${join(folder, "root")}`,
        `--network-namespace-path=/run/netns/${namespace.name}`,
        ...["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"],
        "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
        "--kill-signal=SIGRTMIN+4",
        "--boot",
      ];
      const script = ["sh", "-euc", START, "guest", ...groups, "--", image, folder, ...flags];
      const started = await startChild("unshare", {
        args: ["--mount", "--propagation", "slave", ...script],
      });
      child = started;
      const failure = started.ended.then((status): never => {
        throw new Error(`${hostname}: ended with ${status}:\n${started.lastWords()}`);
      });
      const booted = (async () => {
        init = await eventually(`${hostname} has an init`, () => initBelow(started.pid));
        await eventually(`${hostname} answers`, () => isBooted(inside), SECONDS_TO_BOOT);
      })();
      failure.catch(() => {}); // it is to end some day
      await Promise.race([booted, failure]);
    },
    shutDown: () => end("SIGTERM"),
    crash: () => end("SIGKILL"),
    discard,
  };
}

/** "degraded" is up, too: a unit has failed, and the test will see which. */
async function isBooted(inside: Run): Promise<boolean> {
  const units = ["is-active", "multi-user.target", "ssh.service"];
  const states = await inside("systemctl", units);
  return states === "active\nactive\n";
}

/** The process below `pid` that is number 1 of its own namespace. */
function initBelow(pid: number): number | undefined {
  for (const child of childrenOf(pid)) {
    const status = readFileSync(`/proc/${child}/status`, "utf8");
    if (/^NSpid:.*\t1$/m.test(status)) return child;
    const below = initBelow(child);
    if (below !== undefined) return below;
  }
  return undefined;
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return list.split(" ").filter(Boolean).map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

/** A group can go when its last process is gone, which takes a moment. */
function removeGroup(group: string): void {
  const deadline = performance.now() + 5_000;
  while (existsSync(group)) {
    try {
      removeBelow(group);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function removeBelow(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeBelow(join(group, entry.name));
  }
  rmdirSync(group);
}
