/**
 * Offences of an address count over restarts and over the loss of NATS's data: its bans grow, and a
 * jail that counts bans sees all of them. A coordinator and an agent of dist/, a real nats-server
 * and PostgreSQL.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";

const A = "198.51.100.7";
const POLICY = `
jails:
  dovecot:
    findtime: 20
    bantime: 5
    bantime.increment: true
    bantime.multipliers: 1 2 4 8
    network: { addresses: 3 }
  recidive: { source: bans, maxretry: 3, findtime: 1h, bantime: 1h }
`;

test("bans grow and are counted over a restart and the loss of NATS's data", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-offences-"));
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  await using centre = await startCentre({
    ...{ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: POLICY },
  });
  /** The ban in one jail as it stands. */
  const banIn = async (jail: string) => {
    const { code, stdout } = await centre.cli("ban", "show", A, "--jail", jail, "--json");
    if (code !== 0) return undefined;
    return (JSON.parse(stdout) as Reply<"ban.show">).bans[0];
  };
  const secondsOf = (ban: {
    until: number | string | null;
    countedUntil: number | string | null;
  }) => (Date.parse(String(ban.until)) - Date.parse(String(ban.countedUntil))) / 1000;
  const offend = async (offence: number, seconds: number) => {
    await centre.fail(A, 5);
    const ban = await eventually(`offence ${offence} is banned`, async () => {
      const found = await banIn("dovecot");
      return found?.offence === offence ? found : undefined;
    });
    assert.equal(secondsOf(ban), seconds);
  };
  const isExpired = () =>
    eventually(
      "the ban has run out",
      async () => (await banIn("dovecot"))?.state === "expired",
      60,
    );

  await offend(1, 5);
  await isExpired();
  await centre.coordinator.stop();
  await centre.coordinator.start();
  await offend(2, 10);
  assert.equal(await banIn("recidive"), undefined);
  await isExpired();
  await eventually(
    "everything is recorded",
    async () => (await centre.status()).postgres.lag === 0,
  );

  await nats.stop();
  await nats.wipe();
  await nats.start();
  await eventually("the earlier offences are there again", async () => {
    return (await banIn("dovecot"))?.offence === 2;
  });
  await offend(3, 20);
  const recidive = await eventually("recidive bans", () => banIn("recidive"));
  assert.deepEqual(recidive.basis?.bans, [{ jail: "dovecot", bans: 3 }]);
  const { stdout } = await centre.cli("ban", "show", A);
  assert.match(stdout, /bans +dovecot 3/);
  assert.match(stdout, /offence 3: 20s/);

  for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.3"])
    await centre.fail(address, 5);
  await eventually("the network is banned", () => centre.isBanned("203.0.113.0/24"));
  const shown = await centre.cli("ban", "show", "203.0.113.0/24");
  assert.match(shown.stdout, /3 banned addresses on 1 host/);
  await rm(folder, { recursive: true, force: true });
});
