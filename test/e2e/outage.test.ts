import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { needsRoot } from "../harness/netns.ts";

interface Status {
  decider: string | null;
  hosts: { up: number; current: number };
  postgres: { reachable: boolean; lag: number };
}

interface Shown {
  bans: { offence: number; evidence: object[] }[];
}

describe("a fleet through a bad night", { skip: needsRoot }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await createFleet({ withDovecot: false, coordinators: 2 });
  });
  after(() => fleet[Symbol.asyncDispose]());

  const status = () => fleet.ask<Status>("status");

  /** One failed login of `address` in the log of one host. */
  const fail = (address: string, host: number) =>
    appendFile(fleet.hosts[host]!.mailLog, failedLogin({ address }));

  /** Failed attempts of `address` on record. */
  async function recorded(address: string): Promise<number> {
    interface Failures {
      failures: { attempts: number }[];
    }
    const query = ["failure", "list", "--address", address, "--limit", "5000"];
    const { failures } = await fleet.ask<Failures>(...query);
    return failures.reduce((sum, { attempts }) => sum + attempts, 0);
  }

  /** The coordinator that decides, as it says itself: the other one may not know it yet. */
  const decider = () =>
    eventually("a coordinator decides", async () => {
      for (const [index, coordinator] of fleet.coordinators.entries()) {
        const metrics = await fleet.http(index, "/metrics");
        if (/^fleetban_lease_held 1$/m.test(metrics)) return coordinator;
      }
      return undefined;
    });

  test("a coordinator that is killed in the middle of a count bans at exactly maxretry", async () => {
    const address = "198.51.100.1";
    for (const host of [0, 1, 2, 0]) await fail(address, host);
    await eventually("four failures are on record", async () => (await recorded(address)) === 4);
    for (const coordinator of fleet.coordinators) await coordinator.stop();
    for (const coordinator of fleet.coordinators) await coordinator.start();
    await eventually("somebody decides", async () => (await status()).decider !== null, 20);
    await fleet.untilInKernel(address, false);
    await fail(address, 1);
    await fleet.untilInKernel(address, true);
    const bans = await eventually("the coordinator that answers knows the ban", async () => {
      const shown = await fleet.ask<Shown>("ban", "show", address);
      return shown.bans.length > 0 && shown.bans;
    });
    assert.deepEqual(
      bans.map(({ offence, evidence }) => [offence, evidence.length]),
      [[1, 3]],
    );
  });

  test("a restarted coordinator does not ban again what it banned, nor what was lifted", async () => {
    const address = "198.51.100.1";
    const changes = async () =>
      (await fleet.ask<{ changes: object[] }>("ban", "show", address)).changes.length;
    await eventually("the ban is on record", async () => (await changes()) === 1);
    for (const coordinator of fleet.coordinators) await coordinator.stop();
    for (const coordinator of fleet.coordinators) await coordinator.start();
    await eventually("somebody decides", async () => (await status()).decider !== null, 20);
    await fleet.cli("ban", "remove", address, "--wait");
    for (const coordinator of fleet.coordinators) await coordinator.stop();
    for (const coordinator of fleet.coordinators) await coordinator.start();
    await eventually("somebody decides", async () => (await status()).decider !== null, 20);
    const marker = "198.51.100.2"; // is banned after the replay, so the replay is over
    for (const host of [0, 1, 2, 0, 1]) await fail(marker, host);
    await fleet.untilInKernel(marker, true);
    await fleet.untilInKernel(address, false);
    await eventually("banned and lifted, once each", async () => (await changes()) === 2);
  });

  test("a standby takes over within 6 s when the decider is killed", async () => {
    const address = "198.51.100.3";
    for (const host of [0, 1, 2, 0]) await fail(address, host);
    await eventually("four failures are on record", async () => (await recorded(address)) === 4);
    const killed = await decider();
    await killed.stop();
    await fail(address, 1);
    await fleet.untilInKernel(address, true, 6);
    await killed.start();
  });

  test("bans go on without PostgreSQL, and its history is complete afterwards", async () => {
    const address = "198.51.100.4";
    await fleet.postgres.stop();
    for (const host of [0, 1, 2, 0, 1]) await fail(address, host);
    await fleet.untilInKernel(address, true);
    await eventually("the CLI says so", async () => {
      const { stdout } = await fleet.cli("status");
      return stdout.includes("PostgreSQL") && stdout.includes("cannot be reached");
    });
    const { code } = await fleet.cli("failure", "list", "--address", address);
    assert.equal(code, 69);
    await fleet.postgres.start();
    await eventually(
      "five failures and the ban are on record",
      async () => {
        const { changes } = await fleet.ask<{ changes: object[] }>("ban", "show", address);
        return (await recorded(address)) === 5 && changes.length === 1;
      },
      30,
    );
  });

  test("nats-server away under attack: nothing is lost, nothing counted twice", async () => {
    const address = "198.51.100.5";
    const total = 300;
    let written = 0;
    const attack = (async () => {
      for (; written < total; written += 1) {
        await fail(address, written % 3);
        if (written === 50) await fleet.nats.stop();
        if (written === 200) await fleet.nats.start();
      }
    })();
    await attack;
    await fleet.untilInKernel(address, true, 30);
    await eventually(
      "every failure is on record once",
      async () => (await recorded(address)) === total,
      30,
    );
  });

  test("bans come back when NATS has lost its storage", async () => {
    const address = "198.51.100.6";
    assert.equal((await fleet.cli("ban", "add", address, "--for", "1h", "--wait")).code, 0);
    assert.equal((await fleet.cli("allow", "add", "192.0.2.77", "--comment", "office")).code, 0);
    await eventually("everything is on record", async () => {
      const { changes } = await fleet.ask<{ changes: object[] }>("ban", "show", address);
      return changes.length === 1 && (await status()).postgres.lag === 0;
    });
    await fleet.nats.stop();
    await fleet.nats.wipe();
    await fleet.nats.start();
    await eventually(
      "the ban is in the bucket again",
      async () => {
        const { bans } = await fleet.ask<{ bans: { address: string }[] }>("ban", "list");
        return bans.some((ban) => ban.address === address);
      },
      30,
    );
    await fleet.untilInKernel(address, true);
    await eventually("every host is current", async () => (await status()).hosts.current === 3, 30);
    await fleet.untilInKernel(address, true);
    await eventually("the allowlist is there again", async () => {
      const { allowed } = await fleet.ask<{ allowed: { address: string }[] }>("allow", "list");
      return allowed.some((entry) => entry.address === "192.0.2.77");
    });
    const later = "198.51.100.7";
    for (const host of [0, 1, 2, 0, 1]) await fail(later, host);
    await fleet.untilInKernel(later, true, 20);
  });

  test("a ban runs out in the kernel although the agent is dead", async () => {
    const address = "198.51.100.8";
    assert.equal((await fleet.cli("ban", "add", address, "--for", "3s", "--wait")).code, 0);
    for (const { agent } of fleet.hosts) await agent.stop();
    await fleet.untilInKernel(address, true);
    await fleet.untilInKernel(address, false);
    for (const { agent } of fleet.hosts) await agent.start();
  });
});
