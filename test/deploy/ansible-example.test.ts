/** The example inventory as it is, with the commands that the collection's README has. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests, type Guest } from "../harness/guests.ts";
import { CHECKOUT, createDocumentedFleet, type DocumentedFleet } from "./documented-fleet.ts";
import { USER } from "./mail-host.ts";

const README = "deploy/ansible/README.md";
const HEADING = "In ten minutes";

describe("the example inventory as it is", { skip: needsGuests }, () => {
  let fleet: DocumentedFleet;
  let mailHosts: Guest[];
  before(async () => {
    fleet = await createDocumentedFleet({
      guests: { centre: "trixie", mx1: "bookworm", mx2: "trixie" },
      mailHosts: ["mx1", "mx2"],
    });
    mailHosts = [fleet.guests.guest("mx1"), fleet.guests.guest("mx2")];
  });
  after(() => fleet[Symbol.asyncDispose]());

  const onYours = (commands: string) => fleet.paste({ where: "your machine", commands });
  const fleetban = (words: string) => onYours(`FLEETBAN_HOME=fleetban-keys fleetban ${words}`);

  /** Five wrong passwords, three on one host and two on the other; then no host lets it in. */
  async function attack(from: string): Promise<void> {
    await fleet.attackerNamespace.addAddress(from);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const host = mailHosts[attempt % 2]!.namespace.address4;
      const login = { host, port: 143, user: USER.name, passwords: ["guess"], from };
      assert.deepEqual(await fleet.attacker.logIn(login), { opened: true, accepted: false });
    }
    await eventually(
      `${from} is banned`,
      async () => {
        const opened = await Promise.all(
          mailHosts.map(({ namespace }) =>
            fleet.attacker.connects({ host: namespace.address4, port: 143, from }),
          ),
        );
        return opened.every((each) => !each) && (await fleetban("ban list")).includes(from);
      },
      60,
    );
  }

  test("deploys with the README's commands, and the fleet bans", async () => {
    const hosts = await fleet.pasteSection(README, HEADING);
    // Named as they would be without Ansible.
    assert.match(hosts, /^mx1 +up /m);
    assert.match(hosts, /^mx2 +up /m);
    await attack("10.77.0.101");
  });

  test("a second run changes nothing", async () => {
    const again = await onYours("ansible-playbook -i inventory.yml fleetban.fleetban.site");
    for (const host of ["centre", "mx1", "mx2"]) {
      assert.match(again, new RegExp(`^${host}\\.example\\.org .* changed=0 .* failed=0 `, "m"));
    }
  });

  test("a host that is not well ends the run with one sentence", async () => {
    const wrong = JSON.stringify({
      fleetban_agent_sources: [{ name: "mail-log", path: "/root/mail.log" }],
      fleetban_agent_wait: 5,
    });
    await mailHosts[0]!.run("sh", ["-c", "umask 077; touch /root/mail.log"]);
    const run = onYours(
      `ansible-playbook -i inventory.yml fleetban.fleetban.site --limit fleetban_agents -e '${wrong}'`,
    );
    const output = await run.then(
      () => assert.fail("it succeeded"),
      (error: unknown) => String(error),
    );
    const fatal = output.split("\n").filter((line) => line.startsWith("fatal: "));
    assert.equal(fatal.length, 1, output);
    assert.match(
      fatal[0]!,
      /^fatal: \[mx1\.example\.org\]: FAILED! => \{"changed": false, "msg": "mx1: not well after 5s: [^"]{20,300}"\}$/,
    );
  });

  test("with ansible_host it deploys as well", async () => {
    await onYours(
      "ansible-playbook -i inventory.yml fleetban.fleetban.remove -e fleetban_remove_data=true",
    );
    const names = ["centre", "mx1", "mx2"];
    const lines = names.map((name) => {
      const { address4 } = fleet.guests.guest(name).namespace;
      return `echo 'ansible_host: ${address4}' > host_vars/${name}.example.org.yml`;
    });
    await onYours(`rm -r fleetban-keys\nmkdir host_vars\n${lines.join("\n")}`);
    await onYours("ansible-playbook -i inventory.yml fleetban.fleetban.site");
    const { address4 } = fleet.guests.guest("centre").namespace;
    assert.match(
      await onYours("cat fleetban-keys/client.yaml"),
      new RegExp(`tls://${address4}:4222`),
    );
    await attack("10.77.0.102");
    assert.equal((await onYours("pwd")).trim(), CHECKOUT);
  });
});
