/** Every message that is published for a stream gets its sequence, or the reason why it has none. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  Empty,
  headers,
  type Msg,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { isConflict } from "../../services/nats/compare-and-set.ts";
import { createStreamPublisher } from "../../services/nats/stream-publisher.ts";
import { freePort, type Child } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";

const SETTINGS = [
  'authorization { users: [ { user: "all", password: "p" }, { user: "few", password: "p",',
  '  permissions: { publish: ["stored.a", "$JS.API.>"], subscribe: "_INBOX.>" } } ] }',
];
let server: Child;
let folder: string;
let servers: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-publisher-"));
  const port = await freePort();
  servers = `nats://127.0.0.1:${port}`;
  server = await startNatsServer({ folder, port, settings: SETTINGS });
  await using all = await open("all");
  const manager = await jetstreamManager(all.connection);
  await manager.streams.add({ name: "STORED", subjects: ["stored.>"] });
});

after(async () => {
  await server.stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

async function open(user: string) {
  const connection = await connect({ servers, user, pass: "p" });
  const publisher = createStreamPublisher(connection);
  const publish = (subject: string, expected?: number, timeout = 5_000) => {
    const fields = headers();
    if (expected !== undefined) {
      fields.set("Nats-Expected-Last-Subject-Sequence", String(expected));
    }
    return publisher.publish({ subject, data: Empty, headers: fields, timeout });
  };
  return { connection, publish, [Symbol.asyncDispose]: () => connection.close() };
}

test("each of many messages that are under way gets its own sequence", async () => {
  await using all = await open("all");
  const first = await all.publish("stored.many");
  const sequences = await Promise.all(
    Array.from({ length: 3_000 }, (_, n) => all.publish(`stored.many.${n}`, 0)),
  );
  assert.deepEqual(
    sequences,
    Array.from({ length: 3_000 }, (_, n) => first + 1 + n),
  );
});

test("a message that was made from an old state is a conflict", async () => {
  await using all = await open("all");
  await all.publish("stored.conflict", 0);
  await assert.rejects(all.publish("stored.conflict", 0), isConflict);
});

test("a message that no stream takes has no responders", async () => {
  await using all = await open("all");
  await assert.rejects(all.publish("elsewhere"), NoRespondersError);
});

test("a message whose acknowledgement is late has timed out, and others wait on", async () => {
  await using all = await open("all");
  const received: Msg[] = [];
  all.connection.subscribe("silent", { callback: (_, message) => void received.push(message) });
  const late = all.publish("silent", undefined, 60_000);
  await assert.rejects(all.publish("silent", undefined, 1), TimeoutError);
  received[0]?.respond('{"stream":"STORED","seq":77}');
  assert.equal(await late, 77);
});

test("a message that the user may not publish fails at once", async () => {
  await using few = await open("few");
  const allowed = few.publish("stored.a");
  await assert.rejects(few.publish("stored.b"), PermissionViolationError);
  assert.ok((await allowed) > 0);
});

test("what waits when the connection is closed fails", async () => {
  await using all = await open("all");
  all.connection.subscribe("silent");
  const waiting = assert.rejects(all.publish("silent"), ClosedConnectionError);
  await all.connection.close();
  await waiting;
});
