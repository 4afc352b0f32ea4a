/** What an agent knows of the fleet's settings, from a real server. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { pino } from "pino";
import { createFleetSettings } from "../../services/agent/fleet-settings.ts";
import { readLastSettings } from "../../services/agent/saved-settings.ts";
import { createStateHealth } from "../../services/agent/state/state-health.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeAllowed } from "../../services/wire/settings.ts";
import { allowKey, SETTINGS_BUCKET } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";
import { startSlowLink } from "../harness/slow-link.ts";

const ENTRIES = 2_000;

test("an allowlist that takes long to read is read as a whole before the agent goes on", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "fleetban-settings-"));
  await using nats = await startTestNats();
  const direct = await connect({ servers: nats.url });
  const bucket = await new Kvm(direct).create(SETTINGS_BUCKET);
  const entries = Array.from({ length: ENTRIES }, (_, n) =>
    parseNetwork(`172.16.${n >> 8}.${n & 255}`)!,
  );
  for (const address of entries) {
    const said = { comment: "x".repeat(200), addedAt: 0, by: "alice", origin: "operator" } as const;
    await bucket.put(allowKey({ address }), encodeAllowed({ v: 1, address, ...said }));
  }
  await using link = await startSlowLink({
    ...{ port: nats.port, stallAfterBytes: 200_000, stallMs: 1_000 },
  });
  const connection = await connect({ servers: `127.0.0.1:${link.port}` });
  const log = pino({ level: "silent" });
  const settings = createFleetSettings({
    ...{ stateDir, log, host: "mx1", instance: "test", state: createStateHealth(stateDir, log) },
    ...{ last: await readLastSettings(stateDir), onDuplicate: () => assert.fail() },
  });
  const last = entries.at(-1)!;
  await settings.known({ beginMs: 1, readMs: 1 }); // Nothing has begun.
  assert.equal(settings.isKnown(), false);
  settings.follow(connection);
  let goesOn = false;
  const known = settings.known({ beginMs: 500, readMs: 30_000 }).then(() => (goesOn = true));
  await eventually("the link stands still", () => link.stalls() === 1, 20);
  assert.deepEqual([goesOn, settings.isKnown()], [false, false]);
  await known;
  assert.equal(settings.isKnown(), true);
  assert.equal(settings.allowed(last, "dovecot")?.address, last);
  await connection.close();
  await direct.close();
  // What was learned last may just be written.
  await rm(stateDir, { recursive: true, force: true, maxRetries: 10 });
});
