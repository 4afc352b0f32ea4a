/** What an agent takes that has nothing to do: real firewall, connected, one log without new lines. */
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "../harness/eventually.ts";
import { startAgentHost } from "../harness/agent-host.ts";
import { measureFail2ban } from "./fail2ban.ts";
import type { Figure } from "./figure.ts";

const SETTLE_MS = 15_000;
const MEASURE_MS = 40_000;
/** USER_HZ of every Linux that Debian runs on. */
const TICKS_PER_SECOND = 100;

export async function run(): Promise<Figure[]> {
  await using host = await startAgentHost([]);
  const { agent } = host;
  await eventually("the agent is at work", () => agent.log().includes("agent is at work"), 30);
  const { pid } = agent.child();
  await pause(SETTLE_MS);
  const before = await cpuSeconds(pid);
  await pause(MEASURE_MS);
  const share = (100 * ((await cpuSeconds(pid)) - before)) / (MEASURE_MS / 1000);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
  const peer = await measureFail2ban();
  return [
    {
      name: "agent at rest, RSS",
      value: megabytes("VmRSS"),
      unit: "MB",
      ...(peer && { beside: { fail2ban: peer.rss } }),
    },
    { name: "agent at rest, of it anonymous", value: megabytes("RssAnon"), unit: "MB" },
    { name: "agent at rest, CPU", value: share, unit: "%" },
  ];
}

/** Processor time that a process has used, with all its threads. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // Behind the name, which may hold anything: state is field 3, utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
