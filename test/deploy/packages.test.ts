/** The Debian packages on booted machines: what systemd makes of them, and what becomes of bans. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests, type Guest } from "../harness/guests.ts";
import { createPackagedFleet, type PackagedFleet } from "../harness/packaged-fleet.ts";

const AGENT = "fleetban-agent.service";
const COORDINATOR = "fleetban-coordinator.service";
/** Reads the page and its script, and logs in with the token of a link, as a browser does. */
const OPEN_PAGE = `
import re, sys, urllib.request as u
site, token = sys.argv[1:]
index = u.urlopen(site + "/").read().decode()
script = u.urlopen(u.urljoin(site, re.search(r'src="([^"]+)"', index).group(1)))
headers = {"Content-Type": "application/json", "Fleetban-Web": "1", "Origin": site}
login = u.Request(site + "/api/login", b'{"token": "%s"}' % token.encode(), headers)
print(script.headers["Content-Type"], len(script.read()), u.urlopen(login).read().decode(), sep="\\n")
`;
/** Addresses of the attacker, banned one after the other. */
const [FIRST, SECOND] = ["10.77.0.201", "10.77.0.202"] as const;

describe("Debian packages", { skip: needsGuests }, () => {
  let fleet: PackagedFleet;
  let mx1: Guest;
  let centre: Guest;

  before(async () => {
    fleet = await createPackagedFleet([FIRST, SECOND]);
    ({ mx1, centre } = fleet);
  });
  after(() => fleet[Symbol.asyncDispose]());

  const write = (guest: Guest, path: string, text: string) => guest.run("tee", [path], text);
  const systemctl = (guest: Guest, ...args: string[]) => guest.run("systemctl", args);
  const install = (guest: Guest, ...files: string[]) =>
    guest.run("apt-get", ["-qq", "install", "-y", "--no-install-recommends", ...files]);

  async function show(guest: Guest, unit: string, ...names: string[]) {
    const text = await systemctl(guest, "show", "--property", names.join(","), unit);
    return Object.fromEntries(
      text
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  }
  const isActive = async (guest: Guest, unit: string) =>
    (await show(guest, unit, "ActiveState"))["ActiveState"] === "active";

  const probe = (from: string) => ({ host: mx1.namespace.address4, port: 143, from });
  const isOpenTo = (from: string) => fleet.attacker.connects(probe(from));
  const isOpen = () => fleet.bystander.connects({ host: mx1.namespace.address4, port: 143 });

  /** Tries to connect all the time, on many lines; the answer is how often one was opened. */
  function keepTrying(from: string): () => Promise<number> {
    let isOver = false;
    let opened = 0;
    const lines = Array.from({ length: 30 }, async () => {
      while (!isOver) if (await isOpenTo(from)) opened += 1;
    });
    return async () => {
      isOver = true;
      await Promise.all(lines);
      return opened;
    };
  }

  /** Writes into the log of mx1, through its syslog, what five wrong passwords leave there. */
  async function attack(from: string): Promise<void> {
    const line = `imap-login: Disconnected (auth failed, 5 attempts in 9 secs): user=<info>, method=PLAIN, rip=${from}, lip=${mx1.namespace.address4}, session=<${from}>`;
    await mx1.run("logger", ["--priority", "mail.info", "--tag", "dovecot", "--", line]);
    await eventually(`${from} is banned`, async () => !(await isOpenTo(from)), 30);
  }

  test("installed, they are enabled and wait for a configuration, and nothing has failed", async () => {
    await Promise.all([
      install(mx1, "/srv/fleetban-agent.deb"),
      install(centre, ...["-coordinator", "-agent", ""].map((part) => `/srv/fleetban${part}.deb`)),
    ]);
    for (const [guest, unit] of [
      [mx1, AGENT],
      [centre, COORDINATOR],
    ] as const) {
      const state = await show(guest, unit, "UnitFileState", "ActiveState", "ConditionResult");
      assert.deepEqual(state, {
        UnitFileState: "enabled",
        ActiveState: "inactive",
        ConditionResult: "no",
      });
      assert.equal(await systemctl(guest, "--failed", "--plain", "--no-legend"), "");
    }
    assert.match(await mx1.run("id", ["fleetban-agent"]), /\(adm\).*\(systemd-journal\)/);
    assert.equal(await mx1.run("iptables", ["-S", "INPUT"]), "-P INPUT ACCEPT\n");
  });

  test("systemd rates both units at 2.0 at most", async (t) => {
    for (const [guest, unit] of [
      [mx1, AGENT],
      [centre, AGENT],
      [centre, COORDINATOR],
    ] as const) {
      const output = await guest.run("systemd-analyze", ["security", "--no-pager", unit]);
      const verdict = /Overall exposure level for \S+: ([\d.]+)/.exec(output);
      t.diagnostic(verdict?.[0] ?? output);
      assert.ok(Number(verdict?.[1]) <= 2.0, output);
    }
  });

  test("configured, they work: users of their own, few capabilities, a ban of real packets", async () => {
    const { natsUrl: url, databaseUrl } = fleet;
    const coordinatorYaml = `nats: { url: "${url}" }\ndatabase: { url: "${databaseUrl}" }\nweb: { listen: 127.0.0.1:9490 }\njails: { dovecot: { bantime: 1h } }\n`;
    await write(centre, "/etc/fleetban/coordinator.yaml", coordinatorYaml);
    await centre.run("chgrp", ["fleetban-coordinator", "/etc/fleetban/coordinator.yaml"]);
    await centre.run("chmod", ["640", "/etc/fleetban/coordinator.yaml"]);
    await write(centre, "/etc/fleetban/client.yaml", `nats: { url: "${url}" }\n`);
    await write(mx1, "/etc/fleetban/agent.yaml", `nats: { url: "${url}" }\n`);
    await systemctl(centre, "start", COORDINATOR);
    await systemctl(mx1, "start", AGENT);
    for (const [guest, unit, capabilities] of [
      [mx1, AGENT, "0000000000003000"], // CAP_NET_ADMIN, CAP_NET_RAW
      [centre, COORDINATOR, "0000000000000000"],
    ] as const) {
      const { MainPID = "" } = await show(guest, unit, "MainPID");
      const user = await guest.run("ps", ["-o", "user:32=", "-p", MainPID]);
      assert.equal(user.trim(), unit.replace(".service", ""));
      const status = await guest.run("cat", [`/proc/${MainPID}/status`]);
      for (const name of ["CapEff", "CapPrm", "CapBnd"]) {
        assert.match(status, new RegExp(`^${name}:\\t${capabilities}$`, "m"));
      }
    }
    await eventually(
      "fleetban shows the host",
      async () => {
        return /^mx1 +up /m.test(await centre.run("fleetban", ["host", "list"]));
      },
      30,
    );
    const ready =
      "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9480/readyz').status)";
    await eventually(
      "the coordinator has all it needs",
      async () => {
        return (await centre.run("python3", ["-c", ready])) === "200\n";
      },
      30,
    );
    await eventually("mx1 lets everybody in", () => isOpenTo(FIRST));
    await attack(FIRST);
    assert.ok(await isOpen());
  });

  test("the installed coordinator serves the web page, and a link of the installed fleetban logs in", async () => {
    const link = await centre.run("fleetban", ["web", "login"]);
    const answers = await centre.run("python3", ["-c", OPEN_PAGE, ...link.trim().split("/login#")]);
    const [type, length, session] = answers.trim().split("\n");
    assert.match(type ?? "", /^text\/javascript/);
    assert.ok(Number(length) > 10_000, answers);
    assert.match(session ?? "", /"role": ?"operator"/);
  });

  test("the agent works on Debian 13 as well, and reads the journal", async () => {
    const source = "sources: [{ name: journal, unit: dovecot.service }]";
    const nats = `nats: { url: "${fleet.natsUrl}" }`;
    await write(centre, "/etc/fleetban/agent.yaml", `${nats}\n${source}\n`);
    await systemctl(centre, "start", AGENT);
    const hosts = /^centre +up .*\n(?:.*\n)*mx1 +up /m;
    await eventually("both are shown", async () => {
      return hosts.test(await centre.run("fleetban", ["host", "list"]));
    });
    await eventually("it has the ban, too", async () => {
      return (await centre.run("ipset", ["list", "fleetban-dovecot-4"])).includes(FIRST);
    });
  });

  test("an agent that hangs is ended by the watchdog and started again, the ban stays", async () => {
    const folder = `/run/systemd/system/${AGENT}.d`;
    await mx1.run("mkdir", ["-p", folder]);
    await write(mx1, `${folder}/watchdog.conf`, "[Service]\nWatchdogSec=3\n");
    await systemctl(mx1, "daemon-reload");
    await systemctl(mx1, "restart", AGENT);
    const { MainPID = "" } = await show(mx1, AGENT, "MainPID");
    const ended = keepTrying(FIRST);
    await mx1.run("kill", ["-STOP", MainPID]);
    await eventually(
      "another agent is active",
      async () => {
        const now = await show(mx1, AGENT, "MainPID", "ActiveState", "NRestarts");
        return (
          now["MainPID"] !== MainPID && now["ActiveState"] === "active" && now["NRestarts"] === "1"
        );
      },
      60,
    );
    assert.equal(await ended(), 0);
    await mx1.run("rm", ["-r", folder]);
    await systemctl(mx1, "daemon-reload");
    await systemctl(mx1, "restart", AGENT);
  });

  test("an upgrade runs the new version, and there is no moment without the ban", async () => {
    const before = await show(mx1, AGENT, "MainPID");
    const ended = keepTrying(FIRST);
    await install(mx1, "/srv/next.deb");
    const version = await mx1.run("dpkg-query", ["-W", "-f", "${Version}", "fleetban-agent"]);
    assert.match(version, /\.next$/);
    await eventually("the agent is active", () => isActive(mx1, AGENT), 30);
    assert.notDeepEqual(await show(mx1, AGENT, "MainPID"), before);
    assert.equal(await ended(), 0);
    assert.ok(await isOpen());
  });

  test("a wrong configuration is said whole, and not tried again; the ban stays", async () => {
    const path = "/etc/fleetban/agent.yaml";
    const right = await mx1.run("cat", [path]);
    await write(mx1, path, "mode: lenient\nnats: { port: 1 }\n");
    await assert.rejects(systemctl(mx1, "restart", AGENT));
    const state = await show(mx1, AGENT, "ActiveState", "NRestarts", "ExecMainStatus", "Result");
    assert.deepEqual(state, {
      ...{ ActiveState: "failed", NRestarts: "0", ExecMainStatus: "78", Result: "exit-code" },
    });
    const journal = await mx1.run("journalctl", ["--unit", AGENT, "--output=cat", "--lines=20"]);
    assert.match(journal, /agent\.yaml: mode: expected one of normal, aggressive, got "lenient"/);
    assert.match(journal, /agent\.yaml: nats\.port: there is no such option/);
    assert.ok(!(await isOpenTo(FIRST)));
    await write(mx1, path, right);
    await systemctl(mx1, "start", AGENT);
  });

  test("after a boot without NATS bans are in force before Dovecot lets anybody in", async () => {
    await attack(SECOND);
    await eventually(
      "the ban is on disk",
      async () => {
        const bans = await mx1.run("cat", ["/var/lib/fleetban-agent/bans"]);
        return bans.includes(SECOND) && bans.includes(FIRST);
      },
      30,
    );
    await fleet.nats.stop();
    const ended = [keepTrying(FIRST), keepTrying(SECOND)];
    await mx1.reboot();
    await eventually("Dovecot lets others in", isOpen, 30);
    for (const end of ended) assert.equal(await end(), 0);
    const ready = await show(mx1, AGENT, "ActiveEnterTimestampMonotonic");
    const dovecot = await show(mx1, "dovecot.service", "ExecMainStartTimestampMonotonic");
    const [agentReady, dovecotStart] = [...Object.values(ready), ...Object.values(dovecot)].map(
      Number,
    );
    assert.ok(agentReady! < dovecotStart!, `${agentReady} ${dovecotStart}`);
    assert.ok(await isActive(mx1, AGENT));
    await fleet.nats.start();
  });

  test("a ban that was lifted while the host was down is gone when NATS is back", async () => {
    await eventually(
      "the ban is lifted",
      async () => {
        const answer = await centre.run("fleetban", ["ban", "remove", SECOND, "--wait", "30s"]);
        return /no longer banned/.test(answer);
      },
      30,
    );
    await eventually("it may come in again", () => isOpenTo(SECOND), 30);
    assert.ok(!(await isOpenTo(FIRST)));
  });

  test("removed, the agent leaves the ban in force; purged, rules, sets and state go", async () => {
    await mx1.run("apt-get", ["-qq", "remove", "-y", "fleetban-agent"]);
    assert.ok(!(await isActive(mx1, AGENT)));
    assert.ok(!(await isOpenTo(FIRST)));
    assert.match(await mx1.run("ipset", ["list", "fleetban-dovecot-4"]), new RegExp(FIRST));
    await mx1.run("apt-get", ["-qq", "purge", "-y", "fleetban-agent"]);
    assert.equal(await mx1.run("iptables", ["-S"]), await mx1.run("ip6tables", ["-S"]));
    assert.doesNotMatch(await mx1.run("iptables", ["-S"]), /fleetban/);
    assert.equal(await mx1.run("ipset", ["list", "-name"]), "");
    assert.ok(await isOpenTo(FIRST));
    for (const path of ["/var/lib/fleetban-agent", "/etc/fleetban"]) {
      await assert.rejects(mx1.run("stat", [path]), path);
    }
    assert.equal(await systemctl(mx1, "--failed", "--plain", "--no-legend"), "");
  });

  test("purged, the coordinator is gone, too", async () => {
    await centre.run("apt-get", ["-qq", "purge", "-y", "fleetban-coordinator", "fleetban"]);
    assert.ok(!(await isActive(centre, COORDINATOR)));
    await assert.rejects(centre.run("stat", ["/etc/fleetban/coordinator.yaml"]));
  });
});
