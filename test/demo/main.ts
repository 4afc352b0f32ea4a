/**
 * npm run demo
 *
 * The main job on real input, step by step: an attacker who stays below maxretry on every
 * host is banned on all of them. Exits with 1 when any step is not as it should be, with 130
 * when it was interrupted; in both cases nothing is left behind.
 */
import { formatEnd } from "../../services/cli/time.ts";
import { onEndSignals } from "../../services/process/end-signals.ts";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { isRoot, type Namespace } from "../harness/netns.ts";

const MAXRETRY = 5;
const say = (text = "") => void process.stdout.write(`${text}\n`);
const step = (text: string) => say(`\n== ${text}`);

/** Says what was found, and ends the demo when it is not as it should be. */
function expect(isSo: boolean, text: string): void {
  if (!isSo) throw new Error(`this is not as it should be: ${text}`);
  say(`   ${text}`);
}

/** IPv4 or IPv6, and which addresses it has here. */
interface Family {
  name: string;
  addressOf: (namespace: Namespace) => string;
}
const IPV4: Family = { name: "IPv4", addressOf: ({ address4 }) => address4 };
const IPV6: Family = { name: "IPv6", addressOf: ({ address6 }) => address6 };

/** Fails to log in maxretry times, on one host after the other. */
async function attack(fleet: Fleet, { addressOf }: Family): Promise<void> {
  const countedBefore = await countFailures(fleet);
  for (let attempt = 1; attempt <= MAXRETRY; attempt += 1) {
    const host = fleet.hosts[(attempt - 1) % fleet.hosts.length];
    if (!host) throw new Error("there is no host");
    const port = attempt % 2 === 1 ? 143 : 110;
    const passwords = [`guess-${attempt}`];
    await fleet.attacker.logIn({ host: addressOf(host.namespace), port, user: "alice", passwords });
    const protocol = port === 143 ? "IMAP" : "POP3";
    await eventually(
      "the coordinator counts the failure",
      async () => (await countFailures(fleet)) === countedBefore + attempt,
    );
    say(
      `   failure ${attempt} of ${MAXRETRY}: ${protocol} on ${host.name}, counted by the coordinator`,
    );
  }
}

async function countFailures(fleet: Fleet): Promise<number> {
  return (await fleet.ask<{ failures: number }>("status")).failures;
}

/** What the coordinator has logged of the hosts' answers to a ban. */
function inForce(fleet: Fleet, address: string): { inForce: string; ms: number } | undefined {
  const log = fleet.coordinators.map((each) => each.log()).join("");
  const line = log
    .split("\n")
    .find((text) => text.includes(`"address":"${address}"`) && text.includes('"inForce"'));
  return line === undefined ? undefined : (JSON.parse(line) as { inForce: string; ms: number });
}

/** The ban as the CLI shows it, and on how many hosts it is in force. */
async function expectBan(fleet: Fleet, address: string): Promise<void> {
  await fleet.untilInKernel(address, true);
  const { bans } = await fleet.ask<{ bans: { reason: string; until: string }[] }>(
    ...["ban", "show", address],
  );
  const [ban] = bans;
  const end = formatEnd(ban ? Date.parse(ban.until) : null, Date.now());
  expect(bans.length === 1, `banned ${end}: ${ban?.reason ?? ""}`);
  const reach = await eventually("the coordinator knows where the ban is in force", () =>
    inForce(fleet, address),
  );
  expect(reach.inForce === "3/3", `in force on ${reach.inForce} hosts after ${reach.ms} ms`);
}

async function expectClosedToAttacker(fleet: Fleet, { addressOf }: Family): Promise<void> {
  for (const { name, namespace } of fleet.hosts) {
    const target = { host: addressOf(namespace), port: 143 };
    expect(!(await fleet.attacker.connects(target)), `${name}: the attacker's does not open`);
    expect(await fleet.client.connects(target), `${name}: another client's does`);
  }
}

async function demonstrate(cancelled: Promise<never>): Promise<void> {
  step("A fleet: three mail hosts, an attacker, another client, and the centre");
  await using fleet = await createFleet({ say: (line) => say(`   ${line}`), cancelled });
  await Promise.race([showBans(fleet), cancelled]);
  step("Everything was as it should be; cleaning up");
}

async function showBans(fleet: Fleet): Promise<void> {
  for (const family of [IPV4, IPV6]) {
    const attacker = family.addressOf(fleet.attackerNamespace);
    const who = family === IPV4 ? "The attacker" : "The same attacker, back over IPv6";
    step(`${who}: ${attacker} guesses passwords, at most 2 on any host; maxretry is ${MAXRETRY}`);
    await attack(fleet, family);
    await expectBan(fleet, attacker);
    step(`New connections over ${family.name}, of the attacker and of somebody else`);
    await expectClosedToAttacker(fleet, family);
  }

  const [first] = fleet.hosts;
  if (!first) throw new Error("there is no host");
  step(`What ${first.name} shows: iptables -L -n, ipset list`);
  say((await first.namespace.run("iptables", ["-L", "-n"])).trimEnd());
  for (const set of ["fleetban-dovecot-4", "fleetban-dovecot-6"]) {
    say(`\n${(await first.namespace.run("ipset", ["list", set])).trimEnd()}`);
  }

  const { address4 } = fleet.attackerNamespace;
  step(`fleetban ban remove ${address4} --wait`);
  const lifted = await fleet.cli("ban", "remove", address4, "--wait");
  expect(lifted.code === 0, lifted.stdout.trim().replaceAll("\n", "\n   "));
  for (const { name, namespace } of fleet.hosts) {
    const target = { host: namespace.address4, port: 143 };
    expect(await fleet.attacker.connects(target), `${name}: the attacker can connect again`);
  }
}

if (!isRoot) {
  process.stderr.write("demo: needs root, for network namespaces and their firewalls\n");
  process.exit(77);
}
/** Ctrl-C, SIGTERM, or the terminal was closed. */
class Interrupted extends Error {}
/** What a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

// The terminal may be gone before everything is cleaned up.
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});
const cancelled = new Promise<never>((_, reject) => {
  onEndSignals(
    () => {
      process.stderr.write("\ndemo: interrupted; cleaning up\n");
      reject(new Interrupted());
    },
    () => process.exit(INTERRUPTED),
  );
});
await demonstrate(cancelled).catch((error: unknown) => {
  process.exitCode = error instanceof Interrupted ? INTERRUPTED : 1;
  if (error instanceof Interrupted) return;
  process.stderr.write(
    `\ndemo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
});
// A step that was interrupted is undone when it is done, but nothing waits for what cannot be any more.
setTimeout(() => process.exit(), 4_000).unref();
