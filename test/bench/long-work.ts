/**
 * How long a ban waits for an agent's other work: 100,000 bans are in force, the allowlist has
 * 10,000 entries. From the write of the ban to NATS until the kernel has it, while entries of the
 * allowlist are added, while the jail's ports change, and right after the agent was started anew.
 */
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { eventually } from "../harness/eventually.ts";
import { startAgentHost, type AgentHost } from "../harness/agent-host.ts";
import { percentile, type Figure } from "./figure.ts";
import { openKernelSet, type KernelSet } from "./kernel-set.ts";

const BANS = 100_000;
const ENTRIES = 10_000;
const SET = "fleetban-dovecot-4";
const ROUNDS = 60;
const RESTARTS = 5;
const WRITER = resolve(import.meta.dirname, "long-work-writer.ts");

export async function run(): Promise<Figure[]> {
  const bans = Array.from({ length: BANS }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  await using host = await startAgentHost(bans);
  const writer = startWriter(host);
  const set = openKernelSet(host.namespace, SET);
  try {
    await eventually("all bans are in force", () => timesWhole(host) > 0, 120);
    const entry = (n: number) => `172.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
    await writer.ask(`allow ${Array.from({ length: ENTRIES }, (_, n) => entry(n)).join(" ")}`);
    const bench = createBans(writer, set);
    // The first ones are slower: the agent's code is not compiled yet.
    for (let round = 0; round < ROUNDS; round += 1) await bench();
    const behind = async (name: string, disturb: (round: number) => Promise<unknown>) =>
      describe(name, await measureBehind(bench, disturb));
    const nothing = () => Promise.resolve();
    return [
      await behind("nothing", nothing),
      await behind("allow add", (round) => writer.ask(`allow 192.168.${round}.0/24`)),
      await behind("allow add of 4,000 bans", (round) =>
        round % 20 === 0 ? writer.ask(`allow 10.0.${(round / 20) * 16}.0/20`) : nothing(),
      ),
      await behind("a settings change", (round) =>
        round % 10 === 0 ? writer.ask(`ports 143 ${1_000 + round}`) : nothing(),
      ),
      describe("a restart", await measureRestarts(host, bench)),
      await behind("nothing, again", nothing),
    ];
  } finally {
    set.close();
    writer.stop();
  }
}

const timesWhole = ({ agent }: AgentHost) => agent.log().split("all bans are in force").length - 1;
const timesAtWork = ({ agent }: AgentHost) => agent.log().split("agent is at work").length - 1;

async function measureBehind(
  bench: Bench,
  disturb: (round: number) => Promise<unknown>,
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const disturbing = disturb(round);
    times.push(await bench());
    await disturbing;
  }
  return times;
}

/**
 * The agent is killed and started again. Bans are written from the moment on at which the agent
 * says that it is at work: it is connected to NATS, and reads all of its bans again.
 */
async function measureRestarts(host: AgentHost, bench: Bench): Promise<number[]> {
  const times: number[] = [];
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    const [whole, atWork] = [timesWhole(host), timesAtWork(host)];
    await host.agent.stop("SIGKILL");
    await host.agent.start();
    await eventually("the agent is at work", () => timesAtWork(host) > atWork, 60);
    for (let after = 0; after < 5; after += timesWhole(host) > whole ? 1 : 0) {
      times.push(await bench());
    }
  }
  return times;
}

const describe = (name: string, times: readonly number[]): Figure => ({
  ...{ name: `ban behind ${name}, longest`, value: Math.max(...times), unit: "ms" },
  ...{ p50: percentile(times, 0.5), p99: percentile(times, 0.99) },
});

type Bench = () => Promise<number>;

/** Returns what bans one more address, and the milliseconds until the kernel has it. */
function createBans(writer: Writer, set: KernelSet): Bench {
  let count = 0;
  return async () => {
    const address = `198.18.${count >> 8}.${count & 255}`;
    count += 1;
    const began = performance.now();
    void writer.ask(`ban ${address}`);
    await set.untilHas(address, 30);
    return performance.now() - began;
  };
}

interface Writer {
  ask(command: string): Promise<void>;
  stop(): void;
}

function startWriter({ namespace }: AgentHost): Writer {
  const child = namespace.spawn(process.execPath, ["--import", "tsx", WRITER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  /** Ends of what was asked, oldest first. The first line says that the writer is ready. */
  const asked: (() => void)[] = [() => {}];
  createInterface({ input: child.stdout ?? Readable.from([]) }).on("line", () => asked.shift()?.());
  return {
    ask(command) {
      child.stdin?.write(`${command}\n`);
      return new Promise((resolve) => asked.push(resolve));
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
