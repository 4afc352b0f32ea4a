/**
 * Hosts on one machine: network namespaces joined by a bridge that lies in a
 * namespace of its own, so the machine's own network and firewall stay untouched.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { run, type Run } from "../../services/agent/enforce/firewall/command.ts";
import type { Spawn } from "../../services/standalone/child.ts";

export const isRoot = process.getuid?.() === 0;
/** For tests that make namespaces: `test(name, { skip: needsRoot }, ...)`. */
export const needsRoot = isRoot ? false : "needs root";

export interface Namespace {
  readonly name: string;
  readonly address4: string;
  readonly address6: string;
  /** Runs a command inside and returns its stdout. */
  run: Run;
  /** Starts a program inside; the child's pid is the program's own. */
  spawn: Spawn;
  addAddress(address: string): Promise<void>;
}

export interface Network extends AsyncDisposable {
  host(name: string): Namespace;
  /** Makes the host's namespace anew, as a machine comes back from a reboot: no rules, sets or programs. */
  renew(name: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Namespaces that exist, to be removed however this process ends. */
const alive = new Set<string>();
let guarded = false;

function guard(): void {
  if (guarded) return;
  guarded = true;
  process.on("exit", () => {
    // In a session of its own: a second Ctrl-C would end it, too.
    for (const name of alive) spawnSync("setsid", ["--wait", "ip", "netns", "del", name]);
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Whoever cleans up in its own way has a listener of its own.
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(1);
    });
  }
}

/** Host i of `hosts` gets 10.77.0.(11 + i) and fd77::(11 + i in hex). */
export async function createNetwork(hosts: readonly string[]): Promise<Network> {
  guard();
  const prefix = `fb-${process.pid}-${randomBytes(2).toString("hex")}`;
  const bridge = `${prefix}-sw`;
  const names = new Map(hosts.map((host) => [host, `${prefix}-${host}`]));
  const addNamespace = async (name: string) => {
    alive.add(name);
    await run("ip", ["netns", "add", name]);
    await run("ip", ["-n", name, "link", "set", "lo", "up"]);
  };
  const dispose = async () => {
    for (const name of [...names.values(), bridge]) {
      if (!alive.has(name)) continue;
      await run("setsid", ["--wait", "ip", "netns", "del", name]).catch(() => {}); // it was never made
      alive.delete(name);
    }
  };
  try {
    await addNamespace(bridge);
    await run("ip", ["-n", bridge, "link", "add", "br0", "type", "bridge"]);
    await run("ip", ["-n", bridge, "link", "set", "br0", "up"]);
    const namespaces = new Map<string, Namespace>();
    for (const [index, [host, name]] of [...names].entries()) {
      const number = 11 + index;
      await addNamespace(name);
      await join(name, bridge, number);
      namespaces.set(host, describe(name, `10.77.0.${number}`, `fd77::${number.toString(16)}`));
    }
    const find = (name: string) => {
      const found = namespaces.get(name);
      if (!found) throw new Error(`there is no host ${name}`);
      return found;
    };
    return {
      host: find,
      async renew(name) {
        const number = 11 + hosts.indexOf(name);
        const old = find(name).name;
        // The cable goes at once; the rest when the last program inside has ended.
        await run("ip", ["-n", old, "link", "del", "eth0"]);
        await run("ip", ["netns", "del", old]);
        await addNamespace(old);
        await join(old, bridge, number);
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Gives the namespace its cable to the bridge and its addresses. */
async function join(name: string, bridge: string, number: number): Promise<void> {
  const port = `p${number}`;
  const batch = [
    // A fixed MAC: a namespace made anew is reachable at once.
    `link add eth0 address 02:77:00:00:00:${number.toString(16).padStart(2, "0")} type veth peer name ${port} netns ${bridge}`,
    `addr add 10.77.0.${number}/24 dev eth0`,
    `addr add fd77::${number.toString(16)}/64 dev eth0 nodad`,
    "link set eth0 up",
  ];
  await run("ip", ["-n", name, "-batch", "-"], batch.join("\n"));
  await run("ip", ["-n", bridge, "link", "set", port, "master", "br0", "up"]);
}

function describe(name: string, address4: string, address6: string): Namespace {
  // `ip netns exec` would mount a /sys of the namespace, which takes longer than most commands.
  const inside = (command: string, args: readonly string[]) => [
    `--net=/run/netns/${name}`,
    command,
    ...args,
  ];
  return {
    name,
    address4,
    address6,
    run: (command, args, stdin) => run("nsenter", inside(command, args), stdin),
    spawn: (command, args, options): ChildProcess =>
      spawn("nsenter", inside(command, args), options),
    async addAddress(address) {
      const isIpv6 = address.includes(":");
      const network = isIpv6 ? [`${address}/64`, "nodad"] : [`${address}/24`];
      const [spelled = "", ...flags] = network;
      await run("ip", ["-n", name, "addr", "add", spelled, "dev", "eth0", ...flags]);
    },
  };
}
