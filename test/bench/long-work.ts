/**
 * How long a ban waits for an agent's other work: 100,000 bans are in force, the allowlist has
 * 10,000 entries. From the write of the ban to NATS until the kernel has it, while entries of the
 * allowlist are added, while the jail's ports change, and right after the agent was started anew.
 */
import { resolve } from "node:path";
import { eventually } from "../harness/eventually.ts";
import { startAgentHost, type AgentHost } from "../harness/agent-host.ts";
import { percentile, type Figure } from "./figure.ts";
import { openKernelSet, type KernelSet } from "./kernel-set.ts";

const BANS = 100_000;
const ENTRIES = 10_000;
const SET = "fleetban-dovecot-4";
const ROUNDS = 60;
const WRITER = resolve(import.meta.dirname, "long-work-writer.ts");

export async function run(): Promise<Figure[]> {
  const bans = Array.from({ length: BANS }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  await using host = await startAgentHost(bans);
  const { agent, namespace } = host;
  const isWhole = (times: number) => agent.log().split("all bans are in force").length > times;
  await eventually("all bans are in force", () => isWhole(1), 120);
  const writer = startWriter(host);
  const set = openKernelSet(namespace, SET);
  const entry = (n: number) => `172.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  await writer.ask(`allow ${Array.from({ length: ENTRIES }, (_, n) => entry(n)).join(" ")}`);
  const bench = createBans(writer, set);
  const figures: Figure[] = [];
  const measure = async (
    name: string,
    disturb: (round: number) => Promise<unknown> | undefined,
  ) => {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const disturbing = disturb(round);
      times.push(await bench());
      await disturbing;
    }
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    figures.push({
      name: `ban behind ${name}, longest`,
      value: Math.max(...times),
      unit: "ms",
      p50,
      p99,
    });
  };
  await measure("nothing", () => undefined);
  await measure("allow add", (round) => writer.ask(`allow 192.168.${round}.0/24`));
  await measure("allow add of 4,000 bans", (round) =>
    round % 20 === 0 ? writer.ask(`allow 10.0.${(round / 20) * 16}.0/20`) : undefined,
  );
  await measure("a settings change", (round) =>
    round % 10 === 0 ? writer.ask(`ports 143 ${1_000 + round}`) : undefined,
  );
  await agent.stop("SIGKILL");
  await agent.start();
  await eventually("it is at work", () => isWhole(2), 120);
  await measure("a restart", () => undefined);
  set.close();
  writer.stop();
  return figures;
}

/** Returns what bans one more address, and the milliseconds until the kernel has it. */
function createBans(writer: Writer, set: KernelSet): () => Promise<number> {
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
  let answers = 0;
  let asked = 0;
  child.stdout?.on("data", (chunk: Buffer) => (answers += chunk.toString().split("\n").length - 1));
  return {
    ask(command) {
      asked += 1;
      const mine = asked + 1; // the first line says that it is ready
      child.stdin?.write(`${command}\n`);
      return eventually("it is written", () => answers >= mine, 120).then(() => {});
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
