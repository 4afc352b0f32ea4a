/** Following a stream and a bucket of a real nats-server. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect, type NodeConnectionOptions } from "@nats-io/transport-node";
import { createLog } from "../../services/process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../../services/nats/bucket-mirror.ts";
import { followBucket } from "../../services/nats/follow-bucket.ts";
import { ALL, followStream } from "../../services/nats/follow-stream.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";
import { startSlowLink } from "../harness/slow-link.ts";

const log = createLog("test", "silent");

/** Closed when the test ends, however it ends: an open connection would keep the process at work. */
async function connectTo(
  options: NodeConnectionOptions,
): Promise<NatsConnection & AsyncDisposable> {
  const connection = await connect(options);
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

/** Stopped when the test ends, however it ends. */
function stopping<T extends { stop(): void }>(follower: T): T & Disposable {
  return Object.assign(follower, { [Symbol.dispose]: () => follower.stop() });
}

/** Does something to the stream S, and is done when it returns. */
function changeStream(url: string, what: string): void {
  const script = `
    import { connect } from ${JSON.stringify(import.meta.resolve("@nats-io/transport-node"))};
    import { jetstreamManager } from ${JSON.stringify(import.meta.resolve("@nats-io/jetstream"))};
    const connection = await connect({ servers: process.argv[1] });
    const { streams } = await jetstreamManager(connection);
    ${what};
    await connection.close();`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", script, url]);
}

for (const keep of [2, 0]) {
  test(`a follower has caught up when all but ${keep} messages are gone before they were delivered`, async () => {
    await using nats = await startTestNats();
    await using connection = await connectTo({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "S", subjects: ["s"] });
    for (let count = 0; count < 5; count += 1) await jetstream(connection).publish("s");
    const delivered: number[] = [];
    const caughtUpAfter: number[] = [];
    let runs = 0;
    using following = stopping(
      followStream(
        { connection, stream: "S", startFrom: () => ({ deliver_policy: DeliverPolicy.All }), log },
        {
          // NATS has said what the stream holds, and delivers nothing yet.
          begin() {
            runs += 1;
            if (runs === 1) changeStream(nats.url, `await streams.purge("S", { keep: ${keep} })`);
          },
          message: ({ sequence }) => void delivered.push(sequence),
          caughtUp: () => void caughtUpAfter.push(delivered.length),
        },
      ),
    );
    await eventually("it has caught up", () => caughtUpAfter.length > 0);
    await jetstream(connection).publish("s");
    await eventually("it goes on", () => delivered.at(-1) === 6);
    following.stop();
    assert.deepEqual(caughtUpAfter, [keep], "once, and behind what was left");
  });
}

test("messages that expire while a follower reads do not hide those behind them", async () => {
  await using nats = await startTestNats();
  await using connection = await connectTo({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "S", subjects: ["s.*"] });
  for (let count = 1; count <= 60; count += 1) await jetstream(connection).publish(`s.${count}`);
  const expired = [20, 21, 40, 60];
  let delivered = new Set<number>();
  const caughtUpWith: number[] = [];
  let runs = 0;
  using following = stopping(
    followStream(
      { connection, stream: "S", startFrom: ALL, log },
      {
        begin() {
          runs += 1;
          delivered = new Set();
          const what = `for (const n of ${JSON.stringify(expired)}) await streams.deleteMessage("S", n)`;
          if (runs === 1) changeStream(nats.url, what);
        },
        message: ({ sequence }) => void delivered.add(sequence),
        caughtUp: () => void caughtUpWith.push(delivered.size),
      },
    ),
  );
  await eventually("it has caught up", () => caughtUpWith.length > 0, 20);
  following.stop();
  assert.deepEqual(caughtUpWith, [60 - expired.length]);
});

test("a link that stands still while a bucket is read makes nobody take a part of it for all", async () => {
  await using nats = await startTestNats();
  await using direct = await connectTo({ servers: nats.url });
  const bucket = await new Kvm(direct).create("B", { history: 16 });
  const entries = 3_000;
  const value = "x".repeat(600);
  const keys = Array.from({ length: entries }, (_, n) => `key.${n}`);
  for (let from = 0; from < entries; from += 500) {
    await Promise.all(keys.slice(from, from + 500).map((key) => bucket.put(key, value)));
  }
  // Longer than between two heartbeats, shorter than what NATS or the follower take for an end.
  await using link = await startSlowLink({
    ...{ port: nats.port, stallAfterBytes: 200_000, stallMs: 3_500 },
  });
  await using connection = await connectTo({ servers: `127.0.0.1:${link.port}` });
  let read = new Set<string>();
  const caughtUpWith: number[] = [];
  using following = stopping(
    followBucket(
      { connection, bucket: "B", log },
      {
        begin: () => void (read = new Set()),
        entry: ({ key }) => void read.add(key),
        caughtUp: (missing) => void caughtUpWith.push(read.size, missing),
      },
    ),
  );
  await eventually("it has caught up", () => caughtUpWith.length > 0, 30);
  following.stop();
  assert.equal(link.stalls(), 1);
  assert.deepEqual(caughtUpWith, [entries, 0]);
});

test("what is written while a bucket is read is reported ahead, and counts for nothing else", async () => {
  await using nats = await startTestNats();
  await using direct = await connectTo({ servers: nats.url });
  const bucket = await new Kvm(direct).create("B", { history: 16 });
  const keys = Array.from({ length: 3_000 }, (_, n) => `key.${n}`);
  // Older states of every key come before the last ones.
  for (const state of ["old", "older", "x".repeat(600)]) {
    for (let from = 0; from < keys.length; from += 500) {
      await Promise.all(keys.slice(from, from + 500).map((key) => bucket.put(key, state)));
    }
  }
  await using link = await startSlowLink({
    ...{ port: nats.port, stallAfterBytes: 200_000, stallMs: 3_500 },
  });
  await using connection = await connectTo({
    ...{ servers: `127.0.0.1:${link.port}`, maxReconnectAttempts: -1, reconnectTimeWait: 100 },
  });
  const events: MirrorEvent<string>[] = [];
  const ahead: string[] = [];
  /** Whether the mirror itself had the new entry when nothing more was to come ahead. */
  const hadNew: boolean[] = [];
  const connectBeside = async () => {
    const beside = await connect({ servers: nats.url });
    const close = beside.close.bind(beside);
    return Object.assign(beside, {
      close() {
        hadNew.push(mirror.entries.has("new"));
        return close();
      },
    });
  };
  using mirror = stopping(
    mirrorBucket<string>({
      ...{ connection, bucket: "B", log },
      ahead: {
        connectBeside,
        onEntry: ({ key }) => void ahead.push(key),
      },
      decode: (value) => Buffer.from(value).toString(),
      onEvent: (event) => void events.push(event),
    }),
  );
  const timesLive = () => events.filter(({ type }) => type === "live").length;
  await eventually("the link stands still", () => link.stalls() === 1, 20);
  await bucket.put("new", "1");
  await eventually("it is known", () => ahead.includes("new"));
  assert.deepEqual([timesLive(), mirror.entries.has("new")], [0, false]);
  await eventually("everything is read", () => timesLive() === 1, 20);
  await eventually("it is read in its turn", () => mirror.entries.has("new"));
  assert.deepEqual(hadNew, [true]);
  assert.equal(mirror.entries.size, keys.length + 1);
  assert.equal(mirror.entries.get("key.7")?.value.length, 600);
  events.length = 0;
  link.cut();
  await eventually("everything is read again", () => timesLive() === 1, 30);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["loading", "live"],
    "older states of a key that is known are no changes",
  );
});
