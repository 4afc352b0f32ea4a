/**
 * An agent that is killed and started again with 100,000 active bans: from the start of its process
 * until a ban that the kernel had lost meanwhile is back, which takes the whole set swapped in.
 * All the while some of the other addresses are asked for: there is no moment without them.
 */
import { eventually } from "../harness/eventually.ts";
import { startAgentHost } from "../harness/agent-host.ts";
import { percentile, type Figure } from "./figure.ts";
import { openKernelSet } from "./kernel-set.ts";

const BANS = 100_000;
const SET = "fleetban-dovecot-4";
const RESTARTS = 5;

export async function run(): Promise<Figure[]> {
  const bans = Array.from({ length: BANS }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  await using host = await startAgentHost(bans);
  const { namespace, agent } = host;
  const lost = bans[12_345] ?? "";
  const watched = bans.filter((_, index) => index % 9_973 === 0);
  await eventually(
    "the first start is done",
    async () => (await namespace.run("ipset", ["list", "-t", SET])).includes(`: ${BANS}\n`),
    60,
  );
  const [set, other] = [openKernelSet(namespace, SET), openKernelSet(namespace, SET)];
  const times: number[] = [];
  let asked = 0;
  let missing = 0;
  for (let round = 0; round < RESTARTS; round += 1) {
    await agent.stop("SIGKILL");
    await namespace.run("ipset", ["del", SET, lost]);
    const watch = { isOver: false };
    const watching = (async () => {
      for (let index = 0; !watch.isOver; index = (index + 1) % watched.length) {
        asked += 1;
        if (!(await other.has(watched[index] ?? ""))) missing += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const began = performance.now();
    await agent.start();
    await eventually("the lost ban is back", () => set.has(lost), 60);
    times.push((performance.now() - began) / 1000);
    watch.isOver = true;
    await watching;
  }
  set.close();
  other.close();
  return [
    { name: "restart with 100,000 bans", value: percentile(times, 0.5), unit: "s" },
    { name: "restart, asked for a ban", value: asked, unit: "times" },
    { name: "restart, ban was missing", value: missing, unit: "times" },
  ];
}
