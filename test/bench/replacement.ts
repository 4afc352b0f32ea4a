/**
 * How long a ban waits while an agent replaces all of its 100,000 bans, with the back ends that
 * replace in slices: from the write of the ban to NATS until a packet of the address is dropped. The
 * agent starts anew five times.
 */
import { eventually } from "../harness/eventually.ts";
import { startAgentHost } from "../harness/agent-host.ts";
import type { Figure } from "./figure.ts";
import { startHostProcess } from "./host-process.ts";
import { measureRestarts, timesWhole } from "./restarts-with-bans.ts";
import { describeWaits, type Span } from "./waits.ts";

const BANS = 100_000;
const WARM_UP = 60;
/** Where the packets of the probe come from. */
const SOURCES = "198.18.0.0/15";

export async function run(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const backend of ["ipset", "nftables"]) figures.push(...(await measure(backend)));
  return figures;
}

async function measure(backend: string): Promise<Figure[]> {
  const bans = Array.from({ length: BANS }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  await using host = await startAgentHost(bans, backend);
  await host.namespace.run("ip", ["route", "add", "local", SOURCES, "dev", "lo"]);
  const writer = startHostProcess(host, "long-work-writer.ts");
  const probe = startHostProcess(host, "packet-probe.ts", host.namespace.address4);
  try {
    await eventually("all bans are in force", () => timesWhole(host) > 0, 120);
    let count = 0;
    const ban = async (): Promise<Span> => {
      const address = `198.18.${count >> 8}.${count & 255}`;
      count += 1;
      const writing = writer.ask(`ban ${address}`);
      const until = await probe.ask(address);
      return { from: await writing, until };
    };
    const quiet: Span[] = [];
    for (let round = 0; round < 2 * WARM_UP; round += 1) quiet.push(await ban());
    return [
      describeWaits(`nothing, ${backend}`, quiet.slice(WARM_UP)),
      describeWaits(`a restart, ${backend}`, await measureRestarts(host, ban)),
    ];
  } finally {
    probe.stop();
    writer.stop();
  }
}
