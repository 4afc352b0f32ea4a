/**
 * From the write of the last failing line on one host to membership in the kernel sets of all
 * three. The first failures are on the other hosts: every host alone stays below maxretry.
 *
 * The hosts are asked one after the other whether they have it: with the sleep between two
 * questions that adds some 0.5 ms to what is measured. One ban follows the other at once: what the
 * one before has set going (its record, what the hosts say of it) takes its share of the cores.
 */
import { appendFileSync } from "node:fs";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { createFleet } from "../harness/fleet.ts";
import { measureFail2ban } from "./fail2ban.ts";
import { percentile, type Figure } from "./figure.ts";
import { openKernelSet } from "./kernel-set.ts";

/** One host brings more bans within a minute than the guard lets through. */
const UNGUARDED = "guard: { bansPerMinute: off, perHost: off }";

const WARM_UP = 30;
const BANS = 300;

export async function run(): Promise<Figure[]> {
  const times = await measureFleet();
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  const peer = await measureFail2ban();
  const beside = peer && {
    "fail2ban on one host, p50": peer.p50,
    "fail2ban on one host, p99": peer.p99,
  };
  return [
    { name: "ban-latency", value: p50, unit: "ms", p50, p99, hosts: 3, ...(beside && { beside }) },
  ];
}

/** Milliseconds of each ban. */
async function measureFleet(): Promise<number[]> {
  const fleet = await createFleet({ withDovecot: false, coordinatorYaml: UNGUARDED });
  try {
    const [mx1, mx2, mx3] = fleet.hosts;
    if (!mx1 || !mx2 || !mx3) throw new Error("there are not three hosts");
    const sets = fleet.hosts.map(({ namespace }) => openKernelSet(namespace, "fleetban-dovecot-4"));
    const count = WARM_UP + BANS;
    const addresses = Array.from({ length: count }, (_, n) => `198.18.${n >> 8}.${n & 255}`);
    for (const { mailLog } of [mx1, mx2, mx1, mx2]) {
      appendFileSync(mailLog, addresses.map((address) => failedLogin({ address })).join(""));
    }
    await eventually("the first failures are counted", async () => {
      const { failures } = await fleet.ask<{ failures: number }>("status");
      return failures === 4 * count;
    });
    const times: number[] = [];
    for (const address of addresses) {
      const line = failedLogin({ address });
      const began = performance.now();
      appendFileSync(mx3.mailLog, line);
      for (const set of sets) await set.untilHas(address, 10);
      times.push(performance.now() - began);
    }
    for (const set of sets) set.close();
    return times.slice(WARM_UP);
  } finally {
    await fleet[Symbol.asyncDispose]();
  }
}
