import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { after, before, describe, test } from "node:test";
import { createFleet, type BanList, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { needsRoot } from "../harness/netns.ts";

const AGENT = resolve(import.meta.dirname, "../../dist/services/agent/main.js");
const ALLOWED = "10.77.0.119";

describe("hosts that are alone", { skip: needsRoot }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await createFleet({
      hosts: 2,
      agentYaml: "fallbackAfter: 5s",
      coordinatorYaml: `allowlist: [${ALLOWED}]`,
    });
  });
  after(() => fleet[Symbol.asyncDispose]());

  const hostAt = (place: number) => fleet.hosts[place - 1]!;

  /** Wrong passwords of one address at mx1 or mx2, as Dovecot would log them. */
  async function guess(count: number, address: string, place: number): Promise<void> {
    const lines = Array.from({ length: count }, () => failedLogin({ address }));
    await appendFile(hostAt(place).mailLog, lines.join(""));
  }

  /** Whether the address can open a connection to mx1, and to mx2. */
  const connects = (from: string) =>
    Promise.all(
      fleet.hosts.map(({ namespace }) =>
        fleet.attacker.connects({ host: namespace.address4, port: 143, from }),
      ),
    );

  async function inKernel(place: number): Promise<string[]> {
    const { namespace } = hostAt(place);
    const listed = await namespace.run("ipset", ["list", "fleetban-dovecot-4"]);
    return [...listed.matchAll(/^([\d.]+) /gm)].map(([, address = ""]) => address).sort();
  }

  const kernelHolds = (place: number, wanted: readonly string[], seconds = 20) =>
    eventually(
      `the kernel of mx${place} holds ${wanted.join(", ") || "nothing"}`,
      async () => {
        const found = await inKernel(place);
        if (found.join() !== wanted.join()) throw new Error(`it holds ${found.join(", ")}`);
        return true;
      },
      seconds,
    );

  interface AgentStatus {
    aloneSince: string | null;
    localBans: { address: string }[];
  }

  async function agentStatus(place: number): Promise<AgentStatus> {
    const env = { ...process.env, FLEETBAN_STATE_DIR: hostAt(place).stateDir };
    const args = [AGENT, "status", "--json"];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return JSON.parse(stdout) as AgentStatus;
  }

  test("each bans what reached maxretry there; then the fleet's bans are those of the true counts", async () => {
    const names = ["1", "2", "3", "4", "5", "6"].map((n) => `10.77.0.11${n}`);
    const [onFirst, onSecond, onBoth, below, forgiven, later] = names as [string, ...string[]];
    for (const address of [...names, ALLOWED]) await fleet.attackerNamespace.addAddress(address);
    assert.equal((await fleet.cli("ban", "add", forgiven!)).code, 0);
    assert.equal((await fleet.cli("ban", "remove", forgiven!, "--wait")).code, 0);
    await guess(3, onFirst, 1); // stored before NATS dies, and counted here all the same
    await eventually("the failures are stored", async () => {
      const query = ["failure", "list", "--address", onFirst];
      return (await fleet.ask<{ failures: object[] }>(...query)).failures.length === 3;
    });

    await eventually("mx2 has kept the allowlist", async () => {
      return (await readFile(join(hostAt(2).stateDir, "spared.json"), "utf8")).includes(ALLOWED);
    });

    const coordinator = fleet.coordinators[0]!;
    await coordinator.stop("SIGTERM");
    await fleet.nats.stop();
    await hostAt(2).agent.stop(); // this one starts without NATS
    await hostAt(2).agent.start();
    await guess(2, onFirst, 1);
    await guess(5, onSecond!, 2);
    for (const place of [1, 2]) await guess(3, onBoth!, place);
    await guess(4, below!, 1);
    await guess(6, ALLOWED, 2);
    for (const place of [1, 2]) await guess(5, forgiven!, place);
    await kernelHolds(1, [onFirst]);
    await kernelHolds(2, [onSecond!, forgiven!]); // it has restarted, and does not know of the lift
    const local = await eventually("the agent's status shows them", async () => {
      const { localBans } = await agentStatus(2);
      return localBans.length === 2 && localBans.map(({ address }) => address);
    });
    assert.deepEqual(local, [onSecond!, forgiven!]);
    assert.deepEqual(await Promise.all([onFirst, onSecond!, onBoth!, ALLOWED].map(connects)), [
      [false, true],
      [true, false],
      [true, true],
      [true, true],
    ]);

    await fleet.nats.start(); // and still nobody decides
    await eventually("mx1 is back", () => hostAt(1).agent.log().includes("NATS is back"), 20);
    await guess(5, later!, 1);
    await kernelHolds(1, [onFirst, later!]);

    await coordinator.start();
    const due = [onFirst, onSecond!, onBoth!, later!];
    await Promise.all([kernelHolds(1, due, 30), kernelHolds(2, due, 30)]);
    // A kernel may have a ban before the coordinator has heard that NATS has stored it.
    const listed = await eventually("all of them are listed", async () => {
      const { bans } = await fleet.ask<BanList>("ban", "list");
      return bans.length >= due.length && bans.map(({ address }) => String(address));
    });
    assert.deepEqual(listed.sort(), due);
    const { bans: shown } = await fleet.ask<BanList>("ban", "show", onFirst);
    assert.deepEqual(shown[0]?.evidence, [{ host: "mx1", failures: 5 }]);
    assert.equal(shown[0].offence, 1);
    assert.deepEqual(await Promise.all([onBoth!, below!, forgiven!].map(connects)), [
      [false, false],
      [true, true],
      [true, true],
    ]);
  });
});
