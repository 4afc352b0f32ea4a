/** Following a stream of a real nats-server. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { followStream } from "../../services/daemon/follow.ts";
import { createLog } from "../../services/daemon/log.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";

/** Purges all but the last `keep` messages, and is done when it returns. */
const PURGE = `
  import { connect } from ${JSON.stringify(import.meta.resolve("@nats-io/transport-node"))};
  import { jetstreamManager } from ${JSON.stringify(import.meta.resolve("@nats-io/jetstream"))};
  const connection = await connect({ servers: process.argv[1] });
  const manager = await jetstreamManager(connection);
  await manager.streams.purge("S", { keep: Number(process.argv[2]) });
  await connection.close();`;

for (const keep of [2, 0]) {
  test(`a follower has caught up when all but ${keep} messages are gone before they were delivered`, async () => {
    await using nats = await startTestNats();
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "S", subjects: ["s"] });
    for (let count = 0; count < 5; count += 1) await jetstream(connection).publish("s");
    const delivered: number[] = [];
    const caughtUpAfter: number[] = [];
    const following = followStream(
      connection,
      "S",
      () => ({ deliver_policy: DeliverPolicy.All }),
      {
        // NATS has said how many are pending, and delivers nothing yet.
        begin() {
          const script = ["--input-type=module", "--eval", PURGE, nats.url, String(keep)];
          execFileSync(process.execPath, script);
        },
        message: ({ seq }) => void delivered.push(seq),
        caughtUp: () => void caughtUpAfter.push(delivered.length),
      },
      createLog("test", "silent"),
    );
    await eventually("it has caught up", () => caughtUpAfter.length > 0);
    await jetstream(connection).publish("s");
    await eventually("it goes on", () => delivered.at(-1) === 6);
    following.stop();
    await connection.close();
    assert.deepEqual(caughtUpAfter, [keep], "once, and behind what was left");
  });
}
