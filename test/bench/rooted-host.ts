/**
 * What a mail host in an attacker's hands does to the others at worst: it reports attempts of
 * 50,000 addresses that never happened, as fast as it can. How soon are they all banned on
 * another host, what does that take there and at the centre, and how late is meanwhile
 * a ban that another host has really earned? And how much memory does it cost NATS?
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { percentile, type Figure } from "./figure.ts";
import { measureFlood, residentMegabytes } from "./flooded-nats.ts";
import { openKernelSet } from "./kernel-set.ts";

const ADDRESSES = 50_000;
const SET = "fleetban-dovecot-4";
const PROCESS = join(import.meta.dirname, "rooted-host-process.ts");

export async function run(): Promise<Figure[]> {
  return [...(await measureFailures()), ...(await measureFlood())];
}

async function measureFailures(): Promise<Figure[]> {
  await using fleet = await createFleet({ withDovecot: false });
  const [rooted, honest, other] = fleet.hosts;
  const [coordinator] = fleet.coordinators;
  if (!rooted || !honest || !other || !coordinator) throw new Error("the fleet is not complete");
  await rooted.agent.stop();
  const began = performance.now();
  const attack = startAttack(fleet, rooted.name);
  const later = { isOver: false };
  const delays = measureHonest(honest.mailLog, other, () => later.isOver);
  await attack.ended;
  const sent = (performance.now() - began) / 1000;
  await eventually(
    "all made-up addresses are banned",
    async () => {
      const listed = await other.namespace.run("ipset", ["list", "-t", SET]);
      return Number(/entries: (\d+)/.exec(listed)?.[1]) >= ADDRESSES;
    },
    300,
  );
  const seconds = (performance.now() - began) / 1000;
  later.isOver = true;
  const times = await delays;
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  return [
    { name: "rooted host, reports sent within", value: sent, unit: "s" },
    { name: "rooted host, bans on another host", value: ADDRESSES / seconds, unit: "bans/s" },
    { name: "rooted host, an honest ban meanwhile", value: p50, unit: "ms", p50, p99 },
    {
      name: "rooted host, coordinator RSS",
      value: residentMegabytes(coordinator.child().pid),
      unit: "MB",
    },
    {
      name: "rooted host, other agent RSS",
      value: residentMegabytes(other.agent.child().pid),
      unit: "MB",
    },
    { name: "rooted host, NATS RSS", value: residentMegabytes(fleet.nats.child().pid), unit: "MB" },
  ];
}

function startAttack(fleet: Fleet, host: string): { ended: Promise<string> } {
  const rooted = fleet.hosts.find(({ name }) => name === host);
  const url = `nats://${fleet.centre.address4}:4222`;
  const args = ["--import", "tsx", PROCESS, url, host, String(ADDRESSES)];
  const child = rooted?.namespace.spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!child?.stdout) throw new Error(`${host}: the attack cannot be started`);
  return { ended: text(child.stdout) };
}

/** Attacks a host really, one address after the other; milliseconds until each is banned on `other`. */
async function measureHonest(
  mailLog: string,
  other: Fleet["hosts"][number],
  isOver: () => boolean,
): Promise<number[]> {
  const set = openKernelSet(other.namespace, SET);
  const times: number[] = [];
  try {
    for (let number = 0; !isOver() && number < 65_536; number += 1) {
      const address = `198.18.${number >> 8}.${number & 255}`;
      const began = performance.now();
      appendFileSync(mailLog, Array.from({ length: 5 }, () => failedLogin({ address })).join(""));
      await eventually("the honest ban is in force", () => set.has(address), 120);
      times.push(performance.now() - began);
    }
  } finally {
    set.close();
  }
  return times;
}
