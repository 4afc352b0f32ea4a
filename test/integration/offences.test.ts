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
/** Machines that do much else at the same time are slow. */
const PATIENCE_SECONDS = 60;
/** The third ban is so much longer that one which was decided without the first two grows in time. */
const POLICY = `
jails:
  dovecot:
    findtime: 60
    bantime: 20
    bantime.increment: true
    bantime.multipliers: 1 0.5 4
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
  const until = <T>(what: string, ask: () => Promise<T>) => eventually(what, ask, PATIENCE_SECONDS);
  /** The ban in one jail as it stands. */
  const banIn = async (jail: string) => {
    const { code, stdout } = await centre.cli("ban", "show", A, "--jail", jail, "--json");
    if (code !== 0) return undefined;
    return (JSON.parse(stdout) as Reply<"ban.show">).bans[0];
  };
  const secondsOf = (ban: { until: unknown; countedUntil: unknown }) =>
    (Date.parse(String(ban.until)) - Date.parse(String(ban.countedUntil))) / 1000;
  const offend = async (offence: number, seconds: number) => {
    await until("somebody decides", async () => (await centre.status()).decider !== null);
    await centre.fail(A, 5);
    const ban = await until(`offence ${offence} is banned`, async () => {
      const found = await banIn("dovecot");
      return found?.offence === offence ? found : undefined;
    });
    assert.equal(secondsOf(ban), seconds);
  };
  const isExpired = () =>
    until("the ban has run out", async () => (await banIn("dovecot"))?.state === "expired");

  await offend(1, 20);
  await isExpired();
  await centre.coordinator.stop();
  await centre.coordinator.start();
  await offend(2, 10);
  assert.equal(await banIn("recidive"), undefined);
  await isExpired();
  await until("all is recorded", async () => (await centre.status()).postgres.lag === 0);

  await nats.stop();
  await nats.wipe();
  await nats.start();
  // Nobody waits until the coordinator has read of the first two in PostgreSQL.
  await offend(3, 80);
  const recidive = await until("recidive bans", () => banIn("recidive"));
  assert.deepEqual(recidive.basis?.bans, [{ jail: "dovecot", bans: 3 }]);
  // The history that `ban show` prints comes from PostgreSQL, which is written after the ban.
  const shown = await until("the third ban is recorded", async () => {
    const { stdout } = await centre.cli("ban", "show", A);
    return stdout.includes("offence 3: 1m 20s") ? stdout : undefined;
  });
  assert.match(shown, /bans +dovecot 3/);

  for (const address of ["203.0.113.1", "203.0.113.2", "203.0.113.3"])
    await centre.fail(address, 5);
  await until("the network is banned", async () => {
    const shown = await centre.cli("ban", "show", "203.0.113.0/24");
    return /3 banned addresses on 1 host/.test(shown.stdout);
  });
  await rm(folder, { recursive: true, force: true });
});
