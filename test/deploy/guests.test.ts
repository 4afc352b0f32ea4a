import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { createGuests, needsGuests, type Guests } from "../harness/guests.ts";

describe("guests, the machines that deployment is tried on", { skip: needsGuests }, () => {
  let guests: Guests;
  before(async () => {
    const say = (line: string) => process.stderr.write(`${line}\n`);
    guests = await createGuests({
      guests: { mx1: "bookworm", mx2: "trixie" },
      others: ["admin"],
      say,
    });
    await Promise.all(guests.guests.map((guest) => guest.boot()));
  });
  after(() => guests[Symbol.asyncDispose]());

  test("they have booted with no failed unit, and know who they are", async () => {
    for (const guest of guests.guests) {
      assert.equal(await guest.run("systemctl", ["--failed", "--plain", "--no-legend"]), "");
      assert.equal(await guest.run("hostname", []), `${guest.name}\n`);
      const release = await guest.run("cat", ["/etc/os-release"]);
      assert.match(release, new RegExp(`^VERSION_CODENAME=${guest.suite}$`, "m"));
    }
  });

  test("an administrator gets in over ssh, and becomes root", async () => {
    const admin = guests.network.host("admin");
    for (const { namespace, name } of guests.guests) {
      const command = ["-F", guests.sshConfig, namespace.address4, "sudo id -un; hostname"];
      assert.equal(await admin.run("ssh", command), `root\n${name}\n`);
    }
  });

  test("packages can be installed, and a reboot forgets the firewall but no file", async () => {
    const guest = guests.guest("mx1");
    await guest.run("apt-get", ["-qq", "install", "-y", "iptables", "ipset"]);
    await guest.run("ipset", ["create", "test", "hash:ip"]);
    await guest.run("iptables", ["-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"]);
    await guest.reboot();
    assert.equal(await guest.run("ipset", ["list", "-n"]), "");
    const rules = await guest.run("iptables", ["-S", "INPUT"]);
    assert.equal(rules, "-P INPUT ACCEPT\n");
  });

  test("a machine that crashed comes back with its files", async () => {
    const guest = guests.guest("mx2");
    await guest.run("sh", ["-c", "echo here > /root/kept"]);
    await guest.crash();
    await guests.network.renew("mx2");
    await guest.boot();
    assert.equal(await guest.run("cat", ["/root/kept"]), "here\n");
  });

  test("nothing is left when they go", async () => {
    const names = guests.guests.map(({ namespace }) => namespace.name);
    const { folder } = guests;
    await guests[Symbol.asyncDispose]();
    const namespaces = await run("ip", ["netns", "list"]);
    const mounts = await run("cat", ["/proc/mounts"]);
    const groups = ["systemd", "unified"].flatMap((hierarchy) => {
      const path = `/sys/fs/cgroup/${hierarchy}`;
      return existsSync(path) ? readdirSync(path) : [];
    });
    for (const name of names) {
      assert.ok(!namespaces.includes(name), `namespace ${name}`);
      assert.ok(!groups.includes(name), `control group ${name}`);
    }
    assert.ok(!mounts.includes(folder), "mounts");
    assert.ok(!existsSync(folder), folder);
  });
});
