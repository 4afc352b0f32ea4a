/** A real nats-server that does not take what an agent publishes. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiscardPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createPublishHealth } from "../../services/agent/report/publish-health.ts";
import { createLog } from "../../services/process/log.ts";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { failureSubject, FAILURES_STREAM, statusSubject } from "../../services/wire/subjects.ts";
import { decodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { startTestAgent } from "../harness/agent-process.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";

test("failures that find no room are said, and none is lost when there is room again", async () => {
  await using test = await startTestAgent();
  const { agent, connection, mailLog, failures } = test;
  let last: HostStatus | undefined;
  connection.subscribe(statusSubject("mx1"), {
    callback(_, { data, subject }) {
      last = decodeHostStatus(data, subject);
    },
  });
  const codes = () => last?.warnings.map(({ code }) => code) ?? [];
  const manager = await jetstreamManager(connection);
  const full = { discard: DiscardPolicy.New, max_bytes: 1 };
  await manager.streams.update(FAILURES_STREAM, full);
  for (const address of ["198.51.100.7", "198.51.100.8"]) {
    await appendFile(mailLog, failedLogin({ address }));
  }
  await eventually(
    "its log says it",
    () => /"level":"error".*maximum bytes exceeded.*does not store/.test(agent.log()),
    30,
  );
  await eventually("its status says it", () => codes().includes("failures-not-stored"), 30);
  await manager.streams.update(FAILURES_STREAM, { discard: DiscardPolicy.Old, max_bytes: -1 });
  await eventually("all arrive", async () => (await failures()).length === 2, 30);
  await eventually("nothing is wrong any more", () => codes().length === 0, 30);
  assert.equal(agent.log().match(/does not store failures/g)?.length, 1, "said once");
});

test("who may not publish, or publishes what is too large, is told so at once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-refused-"));
  const port = await freePort();
  const settings = [
    "max_payload: 1000",
    'no_auth_user: host\nauthorization { users: [{ user: host, password: "", permissions: { publish: { deny: "fleetban.failures.>" } } }] }',
  ];
  const server = await startNatsServer({ folder, port, settings });
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  try {
    const log = createLog("test", "silent");
    const health = createPublishHealth({
      what: "failures",
      now: () => 0,
      isConnected: () => true,
      log,
    });
    const publish = async (subject: string, bytes: string) => {
      await jetstream(connection).publish(subject, bytes).catch(health.failed);
      return health.trouble();
    };
    const subject = failureSubject("dovecot", "mx1");
    assert.match((await publish(subject, "")) ?? "", /Permissions Violation/);
    health.stored();
    assert.equal(health.trouble(), undefined);
    assert.match((await publish("other", "x".repeat(1001))) ?? "", /max_payload/);
    health.stored();
    assert.equal(await publish("other", ""), undefined, "nobody listens now: that may pass");
  } finally {
    await connection.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
});
