/**
 * What a mail host in an attacker's hands does to the others at worst: it reports attempts of
 * 50,000 addresses that never happened, as fast as it can. How many of them does the guard let
 * through, how soon are the others held, and how late is meanwhile a ban that another host has
 * really earned? How long takes the command that undoes all of it, and how much memory does it cost?
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import type { Reply } from "../../services/wire/api.ts";
import { createFleet, type Fleet, type MailHost } from "../harness/fleet.ts";
import type { Restartable } from "../harness/restartable.ts";
import { percentile, type Figure } from "./figure.ts";
import { measureFlood, residentMegabytes } from "./flooded-nats.ts";
import { openKernelSet } from "./kernel-set.ts";

const ADDRESSES = 50_000;
/** Each made-up failure stands for so many. */
const ATTEMPTS = 5;
const SET = "fleetban-dovecot-4";
const PROCESS = join(import.meta.dirname, "rooted-host-process.ts");

export async function run(): Promise<Figure[]> {
  return [
    ...(await measureFailures()),
    ...(await measureWithTwoHosts()),
    ...(await measureFlood()),
  ];
}

/** The same attack where every ban needs failures from two hosts. */
async function measureWithTwoHosts(): Promise<Figure[]> {
  const coordinatorYaml = "jails: { dovecot: { minhosts: 2 } }";
  await using fleet = await createFleet({ withDovecot: false, coordinatorYaml });
  const [rooted, , other] = fleet.hosts;
  if (!rooted || !other) throw new Error("the fleet is not complete");
  await rooted.agent.stop();
  await startAttack(fleet, rooted.name).ended;
  const status = () => fleet.ask<Reply<"status.show">>("status");
  await eventually(
    "every made-up attempt is counted",
    async () => (await status()).failures === ADDRESSES * ATTEMPTS,
    120,
  );
  const { bans, heldBans = 0 } = await status();
  const name = "rooted host, with minhosts 2: its bans in force or held";
  return [{ name, value: (await membersOf(other)) + bans + heldBans, unit: "bans" }];
}

export async function measureFailures(): Promise<Figure[]> {
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
  const sent = secondsSince(began);
  await eventually(
    "every made-up address is banned or held",
    async () => {
      const { bans, heldBans = 0 } = await fleet.ask<Reply<"status.show">>("status");
      return bans + heldBans >= ADDRESSES;
    },
    600,
  );
  const judged = secondsSince(began);
  later.isOver = true;
  const times = await delays;
  const inForce = await membersOf(other);
  const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
  const memory = memoryOf(fleet, coordinator, other);
  const [lifted, dropped] = [
    await undo(fleet, "remove", rooted.name),
    await undo(fleet, "discard", rooted.name),
  ];
  const figure = (name: string, value: number, unit: string): Figure => {
    return { name: `rooted host, ${name}`, value, unit };
  };
  return [
    figure("reports sent within", sent, "s"),
    figure("all judged within", judged, "s"),
    figure("its bans in force on another host then", inForce - times.length, "bans"),
    { ...figure("an honest ban meanwhile", p50, "ms"), p50, p99 },
    figure("its bans lifted by one command within", lifted, "s"),
    figure("its held bans dropped by one command within", dropped, "s"),
    figure("its bans in force after that", (await membersOf(other)) - times.length, "bans"),
    ...memory,
  ];
}

const secondsSince = (began: number) => (performance.now() - began) / 1000;

async function membersOf({ namespace }: MailHost): Promise<number> {
  const listed = await namespace.run("ipset", ["list", "-t", SET]);
  return Number(/entries: (\d+)/.exec(listed)?.[1]);
}

/** Seconds until every host has what the command has changed. */
async function undo(fleet: Fleet, verb: string, host: string): Promise<number> {
  const began = performance.now();
  const { code, stderr } = await fleet.cli("ban", verb, "--caused-by", host, "--yes");
  if (code !== 0) throw new Error(`ban ${verb}: exit ${code}: ${stderr}`);
  await eventually(
    "every host is current",
    async () => {
      const { hosts } = await fleet.ask<Reply<"status.show">>("status");
      return hosts.current >= 2; // but the one in the attacker's hands
    },
    120,
  );
  return secondsSince(began);
}

function memoryOf(fleet: Fleet, coordinator: Restartable, other: MailHost): Figure[] {
  const rss = (name: string, pid: number): Figure => {
    return { name: `rooted host, ${name} RSS`, value: residentMegabytes(pid), unit: "MB" };
  };
  return [
    rss("coordinator", coordinator.child().pid),
    rss("other agent", other.agent.child().pid),
    rss("NATS", fleet.nats.child().pid),
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

/** The guard lets 60 bans a minute of one host through: an honest one brings fewer. */
const HONEST_EVERY_MS = 1_200;

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
      await sleep(Math.max(HONEST_EVERY_MS - (performance.now() - began), 0));
    }
  } finally {
    set.close();
  }
  return times;
}
