/** How much nats-server keeps of the failures, where there is room for it and where there is not. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { BANS_BUCKET, failureSubject, FAILURES_STREAM } from "../../services/wire/subjects.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

interface Place extends AsyncDisposable {
  /** A nats-server that may store so much, with what one before it has stored. */
  withStore(
    maxFileStore: string,
    work: (connection: NatsConnection) => Promise<void>,
  ): Promise<void>;
}

async function openPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-bound-"));
  return {
    async withStore(maxFileStore, work) {
      const port = await freePort();
      const settings = [
        `jetstream { store_dir: ${JSON.stringify(folder)}, max_file_store: ${maxFileStore} }`,
      ];
      const server = await startNatsServer({ folder, port, settings });
      try {
        const connection = await connect({ port });
        try {
          await work(connection);
        } finally {
          await connection.close();
        }
      } finally {
        await server.stop("SIGTERM");
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const ensure = (connection: NatsConnection, failuresMaxBytes: number) =>
  ensureStreams(connection, { longestFindtime: 1200, replicas: 1, failuresMaxBytes });

async function publish(connection: NatsConnection, bytes: number): Promise<void> {
  const batch = new Uint8Array(MIB / 4);
  const stream = jetstream(connection);
  for (let sent = 0; sent < bytes; sent += batch.length) {
    await stream.publish(failureSubject("dovecot", "mx1"), batch);
  }
}

async function look(connection: NatsConnection) {
  const { config, state } = await (
    await jetstreamManager(connection)
  ).streams.info(FAILURES_STREAM);
  return { bound: config.max_bytes, ...state };
}

async function putBan(connection: NatsConnection): Promise<void> {
  await (await new Kvm(connection).open(BANS_BUCKET)).put("dovecot.192-0-2-1", "ban");
}

test("a full stream of failures forgets the oldest, and hosts go on publishing", async () => {
  await using place = await openPlace();
  await place.withStore("1GB", async (connection) => {
    assert.deepEqual(await ensure(connection, 2 * MIB), []);
    await publish(connection, 5 * MIB);
    const { bytes, last_seq, first_seq } = await look(connection);
    assert.ok(bytes <= 2 * MIB, `${bytes} bytes`);
    assert.equal(last_seq, 20);
    assert.ok(first_seq > 10, `the first is ${first_seq}`);
  });
});

test("where NATS has not so much room, half of what fits is taken, and bans fit beside it", async () => {
  await using place = await openPlace();
  await place.withStore("16MB", async (connection) => {
    const [fault = ""] = await ensure(connection, GIB);
    const { bound } = await look(connection);
    // nats-server 2.9 and 2.10 keep as much aside again while they change a bound.
    assert.ok(bound === 4 * MIB || bound === 8 * MIB, `${bound} bytes`);
    const room = "(failuresMaxBytes) with room for bans beside";
    const begin = `stream FLEETBAN_FAILURES is to hold 1073741824 bytes ${room}, and holds at most ${bound}: insufficient storage`;
    assert.equal(fault.slice(0, begin.length), begin);
    assert.equal((await ensure(connection, GIB)).length, 1);
    assert.equal((await look(connection)).bound, bound);
    await publish(connection, 20 * MIB);
    await putBan(connection);
  });
  await place.withStore("2GB", async (connection) => {
    assert.deepEqual(await ensure(connection, GIB), []);
    assert.equal((await look(connection)).bound, GIB);
  });
});

test("a bound that fits, but leaves no room for bans, is not taken", async () => {
  await using place = await openPlace();
  await place.withStore("8MB", async (connection) => {
    const [fault = ""] = await ensure(connection, 7.5 * MIB);
    assert.match(fault, /with room for bans beside, and holds at most \d+: insufficient storage/);
    await publish(connection, 20 * MIB);
    assert.ok((await look(connection)).bytes <= 4 * MIB);
    const bans = await new Kvm(connection).open(BANS_BUCKET);
    const value = new Uint8Array(MIB / 2);
    for (let count = 0; count < 8; count += 1) await bans.put(`dovecot.192-0-2-${count}`, value);
  });
});

test("a stream without a bound that is there already gets one", async () => {
  await using place = await openPlace();
  await place.withStore("1GB", async (connection) => {
    await ensure(connection, 4 * MIB);
    const { streams } = await jetstreamManager(connection);
    await streams.update(FAILURES_STREAM, { max_bytes: -1 });
    assert.deepEqual(await ensure(connection, 4 * MIB), []);
    assert.equal((await look(connection)).bound, 4 * MIB);
  });
});

test("a server that starts again with less room than the bound keeps the failures", async () => {
  await using place = await openPlace();
  await place.withStore("2GB", async (connection) => {
    assert.deepEqual(await ensure(connection, GIB), []);
    await publish(connection, 2 * MIB);
  });
  await place.withStore("64MB", async (connection) => {
    // nats-server 2.9 refuses to bring the stream back, but leaves its files. The newest one brings
    // it back with a bound that is over its room, and lets nobody lower that.
    const [fault = ""] = await ensure(connection, GIB);
    const { messages, bound } = await look(connection);
    assert.equal(messages, 8);
    assert.ok(bound === 16 * MIB || bound === GIB, `${bound} bytes`);
    const holds = bound === GIB ? "that many, more than NATS has room for" : `at most ${bound}`;
    assert.match(fault, new RegExp(`and holds ${holds}: insufficient storage`));
    await publish(connection, MIB);
    assert.equal((await look(connection)).last_seq, 12);
  });
});
