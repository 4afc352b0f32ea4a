/**
 * How long a ban waits for an agent's other work: 100,000 bans are in force, the allowlist has
 * 10,000 entries. From the write of the ban to NATS until the kernel has it, while entries of the
 * allowlist are added, while the jail's ports change, and right after the agent was started anew.
 */
import { eventually } from "../harness/eventually.ts";
import { startAgentHost } from "../harness/agent-host.ts";
import type { Figure } from "./figure.ts";
import { openKernelSet, type KernelSet } from "./kernel-set.ts";
import { startHostProcess, type HostProcess } from "./host-process.ts";
import { monotonicMs } from "./monotonic.ts";
import { measureRestarts, timesWhole } from "./restarts-with-bans.ts";
import { describeWaits, type Span } from "./waits.ts";

const BANS = 100_000;
const ENTRIES = 10_000;
const SET = "fleetban-dovecot-4";
const ROUNDS = 60;

export async function run(): Promise<Figure[]> {
  const bans = Array.from({ length: BANS }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  await using host = await startAgentHost(bans);
  const writer = startHostProcess(host, "long-work-writer.ts");
  const set = openKernelSet(host.namespace, SET);
  try {
    await eventually("all bans are in force", () => timesWhole(host) > 0, 120);
    const entry = (n: number) => `172.${16 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
    await writer.ask(`allow ${Array.from({ length: ENTRIES }, (_, n) => entry(n)).join(" ")}`);
    const bench = createBans(writer, set);
    // The first ones are slower: the agent's code is not compiled yet.
    for (let round = 0; round < ROUNDS; round += 1) await bench();
    const behind = async (name: string, disturb: (round: number) => Promise<unknown>) =>
      describeWaits(name, await measureBehind(bench, disturb));
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
      describeWaits("a restart", await measureRestarts(host, bench)),
      await behind("nothing, again", nothing),
    ];
  } finally {
    set.close();
    writer.stop();
  }
}

async function measureBehind(
  bench: () => Promise<Span>,
  disturb: (round: number) => Promise<unknown>,
): Promise<Span[]> {
  const spans: Span[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const disturbing = disturb(round);
    spans.push(await bench());
    await disturbing;
  }
  return spans;
}

/** Bans one more address. Returns the time from then until the kernel has the ban. */
function createBans(writer: HostProcess, set: KernelSet): () => Promise<Span> {
  let count = 0;
  return async () => {
    const address = `198.18.${count >> 8}.${count & 255}`;
    count += 1;
    const writing = writer.ask(`ban ${address}`);
    await set.untilHas(address, 30);
    const until = monotonicMs();
    return { from: await writing, until };
  };
}
