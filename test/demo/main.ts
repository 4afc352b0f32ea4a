/**
 * npm run demo
 *
 * The main job on real input, step by step: an attacker who stays below maxretry on every
 * host is banned on all of them. Exits with 1 when any step is not as it should be.
 */
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { isRoot } from "../harness/netns.ts";

const MAXRETRY = 5;
const say = (text = "") => void process.stdout.write(`${text}\n`);
const step = (text: string) => say(`\n== ${text}`);

/** Says what was found, and ends the demo when it is not as it should be. */
function expect(isSo: boolean, text: string): void {
  if (!isSo) throw new Error(`this is not as it should be: ${text}`);
  say(`   ${text}`);
}

async function attack(fleet: Fleet): Promise<void> {
  let counted = 0;
  for (let attempt = 0; attempt < MAXRETRY; attempt += 1) {
    const host = fleet.hosts[attempt % fleet.hosts.length];
    if (!host) throw new Error("there is no host");
    const port = attempt % 2 === 0 ? 143 : 110;
    const passwords = [`guess-${attempt}`];
    await fleet.attacker.logIn({ host: host.namespace.address4, port, user: "alice", passwords });
    const protocol = port === 143 ? "IMAP" : "POP3";
    await eventually("the coordinator counts the failure", async () => {
      const { failures } = await fleet.ask<{ failures: number }>("status");
      return failures > counted;
    });
    counted += 1;
    say(
      `   failure ${counted} of ${MAXRETRY}: ${protocol} on ${host.name}, counted by the coordinator`,
    );
  }
}

/** What the coordinator has logged of the hosts' answers to a ban. */
function inForce(fleet: Fleet, address: string): { inForce: string; ms: number } | undefined {
  const log = fleet.coordinators.map((each) => each.log()).join("");
  const line = log
    .split("\n")
    .find((text) => text.includes(`"address":"${address}"`) && text.includes('"inForce"'));
  return line === undefined ? undefined : (JSON.parse(line) as { inForce: string; ms: number });
}

async function demonstrate(): Promise<void> {
  step("A fleet: three mail hosts, an attacker, another client, and the centre");
  await using fleet = await createFleet({ say: (line) => say(`   ${line}`) });
  const attackerAddress = fleet.attackerNamespace.address4;

  step(
    `The attacker ${attackerAddress} guesses passwords, at most 2 on any host; maxretry is ${MAXRETRY}`,
  );
  await attack(fleet);
  await fleet.untilInKernel(attackerAddress, true);
  interface Shown {
    bans: { startsAt: string; reason: string; until: string }[];
    changes: unknown[];
  }
  const { bans } = await fleet.ask<Shown>("ban", "show", attackerAddress);
  expect(bans.length === 1, `banned: ${bans[0]?.reason ?? ""}, until ${bans[0]?.until ?? ""}`);
  const reach = await eventually("the coordinator knows where the ban is in force", () =>
    inForce(fleet, attackerAddress),
  );
  expect(reach.inForce === "3/3", `in force on ${reach.inForce} hosts after ${reach.ms} ms`);

  step("New connections of the attacker, and of somebody else");
  for (const { name, namespace } of fleet.hosts) {
    const target = { host: namespace.address4, port: 143 };
    expect(!(await fleet.attacker.connects(target)), `${name}: the attacker's does not open`);
    expect(await fleet.client.connects(target), `${name}: another client's does`);
  }

  const [first] = fleet.hosts;
  if (!first) throw new Error("there is no host");
  step(`What ${first.name} shows: iptables -L -n, ipset list`);
  say(await first.namespace.run("iptables", ["-L", "-n"]));
  say(await first.namespace.run("ipset", ["list", "fleetban-dovecot-4"]));

  step(`fleetban ban remove ${attackerAddress} --wait`);
  const lifted = await fleet.cli("ban", "remove", attackerAddress, "--wait");
  expect(lifted.code === 0, lifted.stdout.trim().replaceAll("\n", "\n   "));
  for (const { name, namespace } of fleet.hosts) {
    const target = { host: namespace.address4, port: 143 };
    expect(await fleet.attacker.connects(target), `${name}: the attacker can connect again`);
  }
  step("Everything was as it should be; cleaning up");
}

if (!isRoot) {
  process.stderr.write("demo: needs root, for network namespaces and their firewalls\n");
  process.exit(77);
}
await demonstrate().catch((error: unknown) => {
  process.stderr.write(
    `\ndemo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = 1;
});
