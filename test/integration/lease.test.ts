/** The lease in the bucket of a real nats-server; the fake bucket passes the same suite. */
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { openLeaseBucket } from "../../services/coordinator/buckets/lease-bucket.ts";
import { LEASE_BUCKET, LEASE_KEY } from "../../services/wire/subjects.ts";
import { contestFor, LEASE_SUITE } from "../harness/lease-suite.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";

let nats: TestNats;
let connection: NatsConnection;

before(async () => {
  nats = await startTestNats();
  connection = await connect({ servers: nats.url });
});

after(async () => {
  await connection.close();
  await nats[Symbol.asyncDispose]();
});

for (const [sentence, check] of LEASE_SUITE) {
  test(`NATS: ${sentence}`, async () => {
    const bucket = await new Kvm(connection).create(LEASE_BUCKET, { history: 1 });
    const spoil = async () => {
      await jetstream(connection).publish(`$KV.${LEASE_BUCKET}.${LEASE_KEY}`, "no JSON");
    };
    await check(contestFor({ ...openLeaseBucket(connection), spoil }));
    await bucket.destroy();
  });
}
