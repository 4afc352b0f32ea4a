/**
 * A recorder whose consumer NATS can tell nothing of after a reconnect, as in a cluster that has lost
 * a server; one whose stream loses its end; and one whose link stands still.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { migrate } from "../../prisma/migrate.ts";
import { openHistory, type History } from "../../services/coordinator/history/history.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { freePort, type Child } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { FAILURES_STREAM, failureSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestPostgres, type TestPostgres } from "../harness/servers.ts";
import { startSlowLink } from "../harness/slow-link.ts";

const SILENT =
  'no_auth_user: one\nauthorization { users: [{ user: one, password: "", permissions: { publish: { deny: "$JS.API.CONSUMER.INFO.>" } } }] }';

describe("a recorder", () => {
  let folder: string;
  let port: number;
  let server: Child;
  let postgres: TestPostgres;
  let connection: NatsConnection;
  let databaseUrl: string;
  const startNats = () => startNatsServer({ folder, port, settings: [SILENT] });
  const log = createLog("test", "silent");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "fleetban-recorder-"));
    port = await freePort();
    server = await startNats();
    postgres = await startTestPostgres();
    databaseUrl = await postgres.createDatabase();
    await migrate(databaseUrl);
    connection = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 });
    await ensureStreams(connection, {
      ...{ longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 },
    });
  });
  after(async () => {
    await connection.close();
    await server.stop("SIGKILL");
    await postgres[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  let position = 0;
  /** Stores batches of failures, one failure in each. */
  async function fail(count: number, form = "test"): Promise<void> {
    const last = position + count;
    while (position < last) {
      position += 1;
      const address = parseNetwork("198.51.100.7")!;
      const bytes = encodeFailureBatch({
        ...{ v: 1, host: "mx1", jail: "dovecot", source: "mail", epoch: "e1" },
        ...{ sentAt: Date.now(), from: position - 1, to: position },
        failures: [{ position, address, at: Date.now(), attempts: 1, form }],
      });
      const subject = failureSubject("dovecot", "mx1");
      await eventually("it is stored", () => jetstream(connection).publish(subject, bytes));
    }
  }
  const recorded = async (history: History) =>
    (await history.failures({ limit: 10_000, after: null })).length;
  const areRecorded = (history: History, count: number) =>
    eventually(`${count} are on record`, async () => (await recorded(history)) === count, 30);
  const open = (through = connection) =>
    openHistory({
      databaseUrl,
      connection: through,
      isLeader: () => true,
      retention: { failures: null, bans: null },
      log,
    });

  test("goes on after NATS was restarted, though nobody answers for its consumer", async () => {
    const history = open();
    try {
      await fail(1);
      await areRecorded(history, position);
      await server.stop("SIGKILL");
      server = await startNats();
      await fail(1);
      await areRecorded(history, position);
      assert.equal(await history.lag(), 0);
    } finally {
      await history.close();
    }
  });

  test("has caught up when the last messages were gone before it read them, and not before", async () => {
    await fail(3);
    const { streams } = await jetstreamManager(connection);
    const { state } = await streams.info(FAILURES_STREAM);
    await streams.deleteMessage(FAILURES_STREAM, state.last_seq);
    const history = open();
    try {
      await areRecorded(history, position - 1);
      await eventually("nothing waits", async () => (await history.lag()) === 0);
    } finally {
      await history.close();
    }
  });

  test("claims nothing while its link stands still", async () => {
    const many = 1_500;
    await fail(many, "f".repeat(60));
    await using link = await startSlowLink({
      ...{ port, stallAfterBytes: 200_000, stallMs: 3_500 },
    });
    const through = await connect({ servers: `127.0.0.1:${link.port}` });
    const history = open(through);
    try {
      const before = await recorded(history);
      const claims: number[] = [];
      await eventually(
        "everything is on record",
        async () => {
          const waiting = await history.lag();
          const count = await recorded(history);
          if (waiting === 0) claims.push(count);
          return count === before + many;
        },
        60,
      );
      assert.equal(link.stalls(), 1);
      assert.deepEqual(
        claims.filter((count) => count < before + many),
        [],
      );
    } finally {
      await history.close();
      await through.close();
    }
  });
});
