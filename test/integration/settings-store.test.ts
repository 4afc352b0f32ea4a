/** What the record has of settings comes back into a bucket that NATS has lost, and only there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import pino from "pino";
import { openSettings } from "../../services/coordinator/buckets/settings-store.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeAllowed, type Allowed } from "../../services/wire/settings.ts";
import { allowKey, SETTINGS_BUCKET } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";

const entryOf = (address: string, comment: string): Allowed => ({
  ...{ v: 1, address: parseNetwork(address)!, comment },
  ...{ addedAt: 1_790_000_000_000, by: "operator alice", origin: "operator" },
});

test("a restored setting is written where the bucket never had it, not where somebody has removed or changed it", async () => {
  await using nats = await startTestNats();
  const connection = await connect({ servers: nats.url });
  const bucket = await new Kvm(connection).create(SETTINGS_BUCKET);
  const settings = openSettings({ connection, log: pino({ level: "silent" }) });
  await settings.ready;
  const [lost, removed, changed] = [
    entryOf("192.0.2.1", "lost"),
    entryOf("192.0.2.2", "removed"),
    entryOf("192.0.2.3", "before"),
  ] as const;
  await settings.allow(removed);
  await settings.disallow(removed, "operator alice");
  await settings.allow({ ...changed, comment: "after" });
  for (const entry of [lost, removed, changed]) {
    await settings.restore(allowKey(entry), encodeAllowed(entry));
  }
  const listed = () =>
    settings.allowlist.list().map(({ address, comment }) => `${address} ${comment}`);
  assert.deepEqual(listed().sort(), ["192.0.2.1 lost", "192.0.2.3 after"]);
  assert.equal((await bucket.get(allowKey(removed)))?.operation, "DEL");
  await eventually("the bucket says the same", async () => {
    const entry = await bucket.get(allowKey(lost));
    return entry?.operation === "PUT";
  });
  settings.stop();
  await connection.close();
});
