/**
 * A fleet on three nats-servers, under attack all the time, while one server after the other is
 * killed: every failure that was written is counted once and on record once, and banned are
 * exactly those that reached maxretry.
 */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { BANS_BUCKET, FAILURES_STREAM, LEASE_BUCKET } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import type { ClusterServer, NatsCluster } from "../harness/nats-cluster.ts";
import { needsRoot } from "../harness/netns.ts";
import type { Restartable } from "../harness/restartable.ts";

const MAXRETRY = 5;
const BETWEEN_FAILURES_MS = 15;
const COORDINATORS = 2;
/**
 * NATS elects a new leader after 4 to 9 seconds, more than once if two servers want it, and gives a
 * consumer to the server that was killed: one in three, each time that a follower asks.
 */
const WITHIN_S = 40;

/** Of the same number: one address with as many failures as are banned, and one with one less. */
const banned = (number: number) => `198.18.${number >> 8}.${number & 255}`;
const spared = (number: number) => `198.19.${number >> 8}.${number & 255}`;

interface Attack {
  /** Pairs of addresses that have begun. */
  pairs(): number;
  /** Ends it with the pair that it is at; returns how many failures of which address were written. */
  stop(): Promise<Map<string, number>>;
}

function startAttack({ hosts }: Fleet): Attack {
  const written = new Map<string, number>();
  let pairs = 0;
  const run = { stopped: false };
  async function fail(address: string, number: number): Promise<void> {
    await appendFile(hosts[number % hosts.length]!.mailLog, failedLogin({ address }));
    written.set(address, (written.get(address) ?? 0) + 1);
    await pause(BETWEEN_FAILURES_MS);
  }
  const attacking = (async () => {
    while (!run.stopped) {
      const number = pairs;
      pairs += 1;
      for (let count = 0; count < MAXRETRY; count += 1) {
        await fail(banned(number), number + count);
        if (count < MAXRETRY - 1) await fail(spared(number), number + count);
      }
    }
  })();
  return {
    pairs: () => pairs,
    async stop() {
      run.stopped = true;
      await attacking;
      return written;
    },
  };
}

describe("a fleet on three nats-servers, under attack", { skip: needsRoot }, () => {
  let fleet: Fleet;
  let cluster: NatsCluster;
  let attack: Attack;
  before(async () => {
    fleet = await createFleet({
      withDovecot: false,
      withCluster: true,
      coordinators: COORDINATORS,
      // Many more bans a minute than the guard lets through.
      coordinatorYaml: "replicas: 3\nguard: { bansPerMinute: off, perHost: off }",
    });
    cluster = fleet.cluster!;
    attack = startAttack(fleet);
  });
  after(async () => {
    await attack.stop();
    await fleet[Symbol.asyncDispose]();
  });

  /** Whoever fails from now on is banned on every host. */
  async function bansGoOn(): Promise<number> {
    const began = performance.now();
    await fleet.untilInKernel(banned(attack.pairs()), true, WITHIN_S);
    return Math.round(performance.now() - began);
  }

  function showLogs(): void {
    const programs: [string, Restartable][] = [
      ...cluster.servers.map((server): [string, Restartable] => [server.name, server]),
      ...fleet.coordinators.map((each, index): [string, Restartable] => [`c${index + 1}`, each]),
      ...fleet.hosts.map(({ name, agent }): [string, Restartable] => [name, agent]),
    ];
    for (const [name, program] of programs) {
      const lines = program.log().trimEnd().split("\n").slice(-60);
      console.log(lines.map((line) => `# ${name}: ${line}`).join("\n"));
    }
  }

  async function survives(name: string, victim: () => Promise<ClusterServer>): Promise<void> {
    await cluster.untilWhole(WITHIN_S);
    const killed = await victim();
    await killed.stop("SIGKILL");
    try {
      const ms = await bansGoOn();
      console.log(`# ${killed.name}, ${name}, was killed: bans on every host again after ${ms} ms`);
    } catch (error) {
      showLogs();
      throw error;
    } finally {
      await killed.start();
    }
    await cluster.untilWhole(WITHIN_S);
    await bansGoOn();
  }

  test("has every stream on all three servers, and bans", async () => {
    await cluster.untilWhole(WITHIN_S);
    await bansGoOn();
  });

  test("goes on when a server is killed that does not lead the failures", () =>
    survives("not the leader of failures", async () => {
      const leader = await cluster.leaderOf(FAILURES_STREAM);
      return cluster.servers.find((server) => server !== leader)!;
    }));

  test("goes on when the leader of the failures is killed", () =>
    survives("leader of failures", () => cluster.leaderOf(FAILURES_STREAM)));

  test("goes on when the leader of the bans is killed", () =>
    survives("leader of bans", () => cluster.leaderOf(bucketStream(BANS_BUCKET))));

  test("goes on when the leader of the lease is killed", () =>
    survives("leader of the lease", () => cluster.leaderOf(bucketStream(LEASE_BUCKET))));

  test("has lost nothing, doubled nothing, and banned exactly whom it should", async () => {
    const written = await attack.stop();
    const total = [...written.values()].reduce((sum, count) => sum + count, 0);
    const expected = Array.from({ length: attack.pairs() }, (_, number) => banned(number)).sort();
    console.log(`# ${total} failures of ${written.size} addresses`);

    for (let index = 0; index < COORDINATORS; index += 1) {
      await eventually(
        `coordinator ${index + 1} has counted ${total} failures`,
        async () => {
          const metrics = await fleet.http(index, "/metrics");
          const counts = metrics.matchAll(/^fleetban_failures_total\{.*\} (\d+)$/gm);
          const counted = [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
          assert.equal(counted, total);
          return true;
        },
        60,
      );
    }
    const recorded = () =>
      fleet.sql<{ address: string; attempts: number }>(
        `SELECT host(address) AS address, sum(attempts)::int AS attempts
         FROM failure GROUP BY address`,
      );
    await eventually(
      "every failure is on record, once",
      async () => {
        const rows = await recorded();
        const sum = rows.reduce((all, { attempts }) => all + attempts, 0);
        assert.equal(sum, total);
        return true;
      },
      60,
    );
    const rows = await recorded();
    assert.deepEqual(new Map(rows.map(({ address, attempts }) => [address, attempts])), written);

    for (const { name, namespace } of fleet.hosts) {
      await eventually(
        `banned on ${name} are exactly those with ${MAXRETRY} failures`,
        async () => {
          const set = await namespace.run("ipset", ["list", "fleetban-dovecot-4"]);
          const members = [...set.matchAll(/^(\S+) timeout /gm)].map(([, address]) => address);
          assert.deepEqual(members.sort(), expected);
          return true;
        },
        30,
      );
    }
    const changes = () =>
      fleet.sql<{ address: string }>("SELECT host(address) AS address FROM ban_change");
    await eventually(
      "every ban is on record",
      async () => (await changes()).length >= expected.length,
      60,
    );
    assert.deepEqual((await changes()).map(({ address }) => address).sort(), expected);
  });
});
