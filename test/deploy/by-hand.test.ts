/**
 * docs/installation.md, docs/operating.md and docs/migration-from-fail2ban.md: their commands, pasted
 * on fresh machines in the order that a reader would follow, and what became of the fleet.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests, type Guest } from "../harness/guests.ts";
import { createDocumentedFleet, type DocumentedFleet } from "./documented-fleet.ts";
import { readBlocks } from "./documents.ts";
import { USER } from "./mail-host.ts";

const INSTALLATION = "docs/installation.md";
const OPERATING = "docs/operating.md";
const MIGRATION = "docs/migration-from-fail2ban.md";
const STEPS = [
  "Step 1: make the keys",
  "Step 2: NATS",
  "Step 3: PostgreSQL and the coordinator",
  "Step 4: your own access",
];
const [INSTALL_AGENT, START_AGENT] = [
  "Step 5: install the agent on a mail host",
  "Step 6: start the agent",
];

describe("the documents' commands on fresh machines", { skip: needsGuests }, () => {
  let fleet: DocumentedFleet;
  let mx1: Guest;
  let mx2: Guest;
  before(async () => {
    fleet = await createDocumentedFleet({
      guests: { centre: "bookworm", mx1: "bookworm", mx2: "trixie", spare: "trixie" },
      mailHosts: ["mx1", "mx2"],
    });
    [mx1, mx2] = [fleet.guests.guest("mx1"), fleet.guests.guest("mx2")];
  });
  after(() => fleet[Symbol.asyncDispose]());

  const onYours = (commands: string) => fleet.paste({ where: "your machine", commands });
  const section = (document: string, heading: string) => fleet.pasteSection(document, heading);

  /** Pastes a section that speaks of mx1 for another host. */
  async function sectionFor(name: string, document: string, heading: string): Promise<string> {
    let output = "";
    for (const { where, commands } of readBlocks(document, heading)) {
      const named = (text: string) => text.replaceAll(/\bmx1\b/g, name);
      output = await fleet.paste({ where: named(where), commands: named(commands) });
    }
    return output;
  }

  const connects = (host: Guest, from: string) =>
    fleet.attacker.connects({ host: host.namespace.address4, port: 143, from });
  async function guess(host: Guest, from: string, count: number): Promise<void> {
    for (let attempt = 0; attempt < count; attempt += 1) {
      const login = { user: USER.name, passwords: ["guess"], from, port: 143 };
      const outcome = await fleet.attacker.logIn({ ...login, host: host.namespace.address4 });
      assert.deepEqual(outcome, { opened: true, accepted: false });
    }
  }
  const untilBanned = (from: string, hosts: readonly Guest[]) =>
    eventually(
      `${from} is banned`,
      async () => {
        if (!(await onYours("fleetban ban list")).includes(from)) return false;
        const opened = await Promise.all(hosts.map((host) => connects(host, from)));
        return opened.every((each) => !each);
      },
      90,
    );
  let last = 100;
  async function newAddress(): Promise<string> {
    last += 1;
    const address = `10.77.0.${last}`;
    await fleet.attackerNamespace.addAddress(address);
    return address;
  }
  /** Wrong passwords on one host, below maxretry on the other, then no host lets the address in. */
  async function attack(): Promise<string> {
    const from = await newAddress();
    await guess(mx1, from, 1);
    await guess(mx2, from, 4);
    await untilBanned(from, [mx1, mx2]);
    return from;
  }

  test("installation.md makes a centre, and your own access to it", async () => {
    for (const heading of STEPS) {
      const output = await section(INSTALLATION, heading);
      if (heading.includes("access")) assert.match(output, /PostgreSQL +reachable/);
    }
  });

  test("files have the owners and modes that the page has in its table", async () => {
    await sectionFor("mx2", INSTALLATION, INSTALL_AGENT);
    const stat = (guest: string, ...paths: string[]) =>
      fleet.guests.guest(guest).run("stat", ["-c", "%n %U:%G %a", ...paths]);
    const nats = "/etc/fleetban-nats";
    assert.equal(
      await stat("centre", nats, `${nats}/centre.key`, "/var/lib/fleetban-nats"),
      `${nats} root:nats 750\n${nats}/centre.key root:nats 640\n/var/lib/fleetban-nats nats:nats 700\n`,
    );
    const files = ["agent.yaml", "agent.creds"].map((name) => `/etc/fleetban/${name}`);
    assert.equal(
      await stat("mx2", ...files),
      files.map((file) => `${file} root:fleetban-agent 640\n`).join(""),
    );
  });

  test("an agent is started, and is called as the machine calls itself", async () => {
    const hosts = await sectionFor("mx2", INSTALLATION, START_AGENT);
    assert.match(hosts, /^mx2 +up /m);
    const named = await mx2.run("hostname", []);
    assert.equal(named, "mx2\n");
  });

  test("migration-from-fail2ban.md: both ban beside each other, then fail2ban's jail is stopped", async () => {
    const fail2ban = "DEBIAN_FRONTEND=noninteractive apt-get -qq install -y fail2ban";
    const jail = "[dovecot]\nenabled = true\nlogpath = /var/log/mail.log\nmaxretry = 3\n";
    await mx1.run("sh", ["-c", `${fail2ban} && rm -f /etc/fail2ban/jail.d/*.conf`]);
    await mx1.run("tee", ["/etc/fail2ban/jail.local"], jail);
    await mx1.run("systemctl", ["restart", "fail2ban"]);
    await eventually("fail2ban watches", async () =>
      (await mx1.run("fail2ban-client", ["status"]).catch(() => "")).includes("dovecot"),
    );
    await section(MIGRATION, "Step 1: carry the jails over");
    assert.match(await onYours("cat fleetban.yaml"), /dovecot:/);
    await sectionFor("mx1", INSTALLATION, INSTALL_AGENT);
    const hosts = await section(MIGRATION, "Step 2: watch in dry-run, beside fail2ban");
    assert.match(hosts, /^mx1 +up .* dry-run /m);

    // fail2ban bans on mx1 alone; fleetban counts what Dovecot has seen there, and bans on mx2.
    const both = await newAddress();
    await guess(mx1, both, 3);
    await eventually("fail2ban has banned it", async () => !(await connects(mx1, both)), 60);
    await guess(mx2, both, 2);
    await untilBanned(both, [mx2]);
    // A dry-run drops nothing: two failures on each host, which is too few for fail2ban.
    const seen = await newAddress();
    await guess(mx1, seen, 2);
    await guess(mx2, seen, 3);
    await untilBanned(seen, [mx2]);
    assert.equal(await connects(mx1, seen), true);
    await section(MIGRATION, "Step 3: compare");

    await section(MIGRATION, "Step 4: enforce");
    await eventually("the bans are in force on mx1, too", async () => !(await connects(mx1, seen)));
    await mx1.run("fail2ban-client", ["set", "dovecot", "banip", "203.0.113.9"]);
    const carried = await section(MIGRATION, "Step 5: carry fail2ban's bans over");
    assert.match(carried, /203\.0\.113\.9/);
    const status = await section(MIGRATION, "Step 6: stop fail2ban's jails");
    assert.match(status, /Jail list:\s*$/m);
    for (const from of [both, seen]) assert.equal(await connects(mx1, from), false);
    await attack();
  });

  test("operating.md: a log that Dovecot writes itself is read, also when it was rotated", async () => {
    await mx1.run("sh", [
      "-c",
      "echo 'log_path = /var/log/dovecot.log' >> /etc/dovecot/dovecot.conf",
    ]);
    await mx1.run("systemctl", ["restart", "dovecot"]);
    const mode = await mx1.run("stat", ["-c", "%U:%G %a", "/var/log/dovecot.log"]);
    assert.equal(mode, "root:root 600\n");
    await section(OPERATING, "Read a log that Dovecot writes itself");
    await onYours("fleetban host wait mx1");
    await attack();
    await mx1.run("logrotate", ["--force", "/etc/logrotate.d/dovecot"]);
    await attack();
  });

  test("operating.md: credentials and certificate are rotated, and nothing stops", async () => {
    await section(OPERATING, "Rotate credentials");
    const list = await onYours("fleetban key list");
    assert.equal(list.match(/^agent +mx1 +revoked /gm)?.length, 1);
    assert.equal(list.match(/^agent +mx1 +valid /gm)?.length, 1);
    await section(OPERATING, "Rotate a NATS server's certificate");
    await section(OPERATING, "Let revocations survive the loss of NATS's store");
    await attack();
  });

  test("root's nats-server -t does not lock the fleet out", async () => {
    const centre = fleet.guests.guest("centre");
    const folders = ["/var/lib/fleetban-nats", "/etc/fleetban-nats/centre.accounts"];
    await centre.run("systemctl", ["stop", "nats-server"]);
    await centre.run("rm", ["-r", ...folders]);
    await centre.run("nats-server", ["-t", "-c", "/etc/fleetban-nats/centre.conf"]);
    const left = await centre.run("find", [...folders, "-user", "root"]).catch(String);
    assert.notEqual(left, "", "nats-server -t leaves no file of root any more: simplify the unit");
    await centre.run("systemctl", ["start", "nats-server"]);
    await onYours("fleetban host wait mx1\nfleetban host wait mx2");
    await attack();
  });

  test("operating.md: the coordinator moves alone, and everything is on record there", async () => {
    const before = await attack();
    await section(OPERATING, "Move the coordinator alone");
    const shown = await onYours(`fleetban ban show ${before}\nfleetban status`);
    assert.match(shown, /failures +mx1 1, mx2 4/);
    assert.match(shown, /^decider +spare$/m);
    await attack();
  });

  test("operating.md: the centre is lost, and comes back on another machine from the backup", async () => {
    // The way back: centre decides again, spare becomes a fresh machine.
    const spare = fleet.guests.guest("spare");
    await spare.run("sh", [
      "-c",
      "DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y fleetban-coordinator 'postgresql*'; rm -rf /etc/fleetban",
    ]);
    await onYours(`fleetban key coordinator centre --renew
scp fleetban-keys/coordinators/centre.creds centre.example.org:`);
    await fleet.paste({
      where: "centre",
      commands: `sudo install -o root -g fleetban-coordinator -m 0640 centre.creds /etc/fleetban/coordinator.creds
sudo systemctl enable --now fleetban-coordinator
sudo fleetban-coordinator ready --for 60s`,
    });
    const banned = await attack();
    await section(OPERATING, "Back up");

    await fleet.guests.guest("centre").crash();
    const { address4 } = spare.namespace;
    const [newName, ...rest] = [fleet.yours, mx1, mx2, spare];
    for (const guest of [newName, ...rest]) {
      const script = `sed 's/^.* centre\\.example\\.org.*$/${address4} centre.example.org/' /etc/hosts > /tmp/hosts && cat /tmp/hosts > /etc/hosts`;
      await guest.run("sh", ["-c", script]);
    }
    await section(OPERATING, "Restore the centre on another machine");
    const list = await onYours("fleetban ban list");
    assert.ok(list.includes(banned), list);
    for (const host of [mx1, mx2]) assert.equal(await connects(host, banned), false);
    await attack();
  });
});
