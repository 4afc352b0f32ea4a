/** Bans that are for some hosts alone, on two hosts with a real Dovecot and a real firewall. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { needsRoot } from "../harness/netns.ts";

const POLICY = `
jails:
  dovecot: { maxretry: 2, minhosts: 2, quorum: local-first }
  edge: { hosts: ["*", "!mx1"] }
`;

describe("bans that are for some hosts alone", { skip: needsRoot }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await createFleet({ hosts: 2, coordinatorYaml: POLICY });
  });
  after(() => fleet[Symbol.asyncDispose]());

  const connects = (from: string) =>
    Promise.all(
      fleet.hosts.map(({ namespace }) =>
        fleet.attacker.connects({ host: namespace.address4, port: 143, from }),
      ),
    );

  /** Waits until connections open on exactly these hosts. */
  const untilOpen = (what: string, from: string, expected: readonly boolean[]) =>
    eventually(what, async () => String(await connects(from)) === String(expected));

  async function fail(host: number, from: string, passwords: readonly string[]): Promise<void> {
    const { namespace } = fleet.hosts[host]!;
    const login = { host: namespace.address4, port: 143, user: "alice", from };
    const { opened } = await fleet.attacker.logIn({ ...login, passwords: [...passwords] });
    assert.equal(opened, true);
  }

  test("a local-first ban closes its host alone, and every host once another has confirmed it", async () => {
    const from = "10.77.0.111";
    await fleet.attackerNamespace.addAddress(from);
    assert.deepEqual(await connects(from), [true, true]);
    await fail(0, from, ["a", "b"]);
    await untilOpen("the ban is in force on mx1 alone", from, [false, true]);
    await fail(1, from, ["c"]);
    await untilOpen("the ban is in force on both", from, [false, false]);
  });

  test("a ban of a jail of some hosts closes these alone", async () => {
    const from = "10.77.0.112";
    await fleet.attackerNamespace.addAddress(from);
    const { code, stderr } = await fleet.cli("ban", "add", from, "--jail", "edge");
    assert.equal(code, 0, stderr);
    await untilOpen("the ban is in force on mx2 alone", from, [true, false]);
  });
});
