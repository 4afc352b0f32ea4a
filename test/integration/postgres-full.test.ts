/** PostgreSQL on a disk that is full: the record waits, bans do not. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import pg from "pg";
import { freePort } from "../../services/standalone/child.ts";
import { postgresUrl } from "../../services/standalone/postgres.ts";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { needsRoot } from "../harness/netns.ts";
import { PASSWORD, startTestCluster } from "../harness/postgres-cluster.ts";
import { startTestNats } from "../harness/servers.ts";
import { mountSmallDisk, type SmallDisk } from "../harness/small-disk.ts";

interface SmallPostgres extends AsyncDisposable {
  disk: SmallDisk;
  url: string;
  /** Failed attempts of `address` on record. */
  recorded(address: string): Promise<number>;
  /** States of bans of `address` on record. */
  changes(address: string): Promise<string[]>;
}

/** Some 60 of its megabytes are PostgreSQL's own. */
async function startSmallPostgres(folder: string): Promise<SmallPostgres> {
  await mkdir(folder);
  const at = { port: await freePort(), password: PASSWORD, folder };
  await (await startTestCluster(at)).stop("SIGINT"); // it has made its cluster
  const disk = await mountSmallDisk(join(folder, "cluster"), 120);
  const postgres = await startTestCluster({ ...at, spawn: disk.spawn });
  const url = postgresUrl(at, "postgres");
  const pool = new pg.Pool({ connectionString: url });
  pool.on("error", () => {}); // it is stopped before
  const ask = async <T extends pg.QueryResultRow>(query: string, address: string) =>
    (await pool.query<T>(query, [address])).rows;
  const sum = "SELECT coalesce(sum(attempts), 0)::int AS count FROM failure WHERE address = $1";
  const states = "SELECT state FROM ban_change WHERE address = $1 ORDER BY revision";
  return {
    ...{ disk, url },
    recorded: async (address) => (await ask<{ count: number }>(sum, address))[0]?.count ?? 0,
    changes: async (address) =>
      (await ask<{ state: string }>(states, address)).map(({ state }) => state),
    async [Symbol.asyncDispose]() {
      await pool.end();
      await postgres.stop("SIGINT");
      await disk[Symbol.asyncDispose]();
    },
  };
}

const [BEFORE, FLOOD, BANNED] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"] as const;
const MANY = 4_000;

test(
  "with PostgreSQL's disk full bans go on, status says so, and the record is complete afterwards",
  { skip: needsRoot },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-postgres-full-"));
    try {
      await using nats = await startTestNats();
      await using postgres = await startSmallPostgres(join(folder, "postgres"));
      const { recorded, changes, disk, url: databaseUrl } = postgres;
      const on = { folder: join(folder, "centre"), natsUrl: nats.url, databaseUrl };
      await using centre = await startCentre(on);
      await centre.fail(BEFORE, 5);
      await eventually("5 are recorded", async () => (await recorded(BEFORE)) === 5);

      await disk.fill();
      await centre.fail(FLOOD, MANY);
      await eventually("it is banned", () => centre.isBanned(FLOOD), 30);
      const reason = /PostgreSQL records nothing now: [^ ]+ .*No space left on device.*bans go on/;
      await eventually(
        "status says why",
        async () => (await centre.status()).warnings.some(({ text }) => reason.test(text)),
        30,
      );
      for (const command of ["failure list", "ban list --all", `ban show ${BEFORE}`, "host list"]) {
        const answer = await centre.cli(...command.split(" "), "--json");
        const { stale } = JSON.parse(answer.stdout) as { stale: string | null };
        assert.match(stale ?? "", /^PostgreSQL records nothing now: .*No space left/, command);
      }
      await centre.fail(BANNED, 5);
      await eventually("another one is banned", () => centre.isBanned(BANNED), 30);
      const { code, stderr } = await centre.cli("ban", "remove", BANNED);
      assert.equal(code, 0, stderr);

      await disk.free();
      for (const [address, count] of [
        [BEFORE, 5],
        [FLOOD, MANY],
        [BANNED, 5],
      ] as const) {
        await eventually(
          `${count} of ${address} are recorded`,
          async () => (await recorded(address)) === count,
          60,
        );
      }
      await eventually("the ban and its end are recorded", async () => {
        const states = await changes(BANNED);
        return states.includes("active") && states.at(-1) === "lifted";
      });
      await eventually("status has nothing to say of it", async () => {
        const { warnings, postgres } = await centre.status();
        return postgres.lag === 0 && !warnings.some(({ code }) => code.startsWith("postgres"));
      });
      assert.doesNotMatch(centre.coordinator.log(), /"not recorded"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
