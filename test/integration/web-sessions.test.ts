/** The bucket of the web page's sessions: with rights that are too few, and at a start. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { createLog } from "../../services/process/log.ts";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { openSessionBucket } from "../../services/web/server/session-bucket.ts";
import { rightsOf } from "../../services/wire/rights.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";

const GRANT = {
  ...({ name: "alice", role: "operator", key: null, keyUntil: null } as const),
  expiresAt: Date.now() + 60_000,
};

test("who comes while the sessions are being read waits a moment for them", async (t) => {
  await using nats = await startTestNats();
  const connection = await connect({ servers: nats.url });
  t.after(() => connection.close());
  const open = () =>
    openSessionBucket({
      ...{ connection, replicas: 1, onEnded: () => {}, now: Date.now },
      log: createLog("test", "silent"),
    });
  const first = open();
  t.after(() => first.stop());
  await first.put("session", "00", GRANT);
  const second = open();
  t.after(() => second.stop());
  assert.equal((await second.find("00"))?.name, "alice");
});

test("credentials of a coordinator from before the web page are told, and nobody is let in", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-web-"));
  const port = await freePort();
  const { publish, subscribe, inbox } = rightsOf("coordinator", "c1");
  const before = publish.filter((subject) => !subject.includes("fleetban_web"));
  assert.ok(before.length < publish.length);
  const permissions = JSON.stringify({
    publish: { allow: before },
    subscribe: { allow: [...subscribe] },
  });
  const users = `{ user: old, password: p, permissions: ${permissions} }`;
  const settings = [`authorization { users: [ ${users} ] }`];
  const server = await startNatsServer({ folder, port, settings });
  const connection = await connect({
    ...{ servers: `nats://127.0.0.1:${port}`, user: "old", pass: "p", inboxPrefix: inbox },
  });
  const bucket = openSessionBucket({
    ...{ connection, replicas: 1, onEnded: () => {}, now: Date.now },
    log: createLog("test", "silent"),
  });
  try {
    const reason = await eventually("the trouble is known", () => bucket.trouble());
    assert.match(
      reason,
      /Permissions Violation for Publish to "\$JS\.API\.STREAM\.INFO\.KV_fleetban_web"/,
    );
    await assert.rejects(bucket.find("00"), /sessions of the web page are not known/);
    await assert.rejects(bucket.put("session", "00", GRANT), /are not known/);
  } finally {
    bucket.stop();
    await connection.close();
    await server.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});
