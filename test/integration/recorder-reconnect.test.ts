/** A recorder whose consumer NATS can tell nothing of after a reconnect, as in a cluster that has lost a server. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { migrate } from "../../prisma/migrate.ts";
import { openHistory } from "../../services/coordinator/history/history.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestPostgres } from "../harness/servers.ts";

const SILENT =
  'no_auth_user: one\nauthorization { users: [{ user: one, password: "", permissions: { publish: { deny: "$JS.API.CONSUMER.INFO.>" } } }] }';

test("goes on recording after NATS was restarted, though nobody answers for its consumer", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-recorder-"));
  const port = await freePort();
  const startNats = () => startNatsServer({ folder, port, settings: [SILENT] });
  let server = await startNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  await migrate(databaseUrl);
  const connection = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 });
  await ensureStreams(connection, {
    ...{ longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 },
  });
  const log = createLog("test", "silent");
  const history = openHistory({ databaseUrl, connection, isLeader: () => true, log });
  try {
    const fail = (position: number) => {
      const address = parseNetwork("198.51.100.7")!;
      const bytes = encodeFailureBatch({
        ...{ v: 1, host: "mx1", jail: "dovecot", source: "mail", epoch: "e1" },
        ...{ sentAt: Date.now(), from: position - 1, to: position },
        failures: [{ position, address, at: Date.now(), attempts: 1, form: "test" }],
      });
      const subject = failureSubject("dovecot", "mx1");
      return eventually("it is stored", () => jetstream(connection).publish(subject, bytes));
    };
    const areRecorded = (count: number) =>
      eventually(`${count} are on record`, async () => {
        const rows = await history.failures({ limit: 10, after: null });
        return rows.length === count;
      });
    await fail(1);
    await areRecorded(1);
    await server.stop("SIGKILL");
    server = await startNats();
    await fail(2);
    await areRecorded(2);
    assert.equal(await history.lag(), 0);
  } finally {
    await history.close();
    await connection.close();
    await server.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});
