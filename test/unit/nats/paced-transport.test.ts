/** The client against a server that sends as much as the client takes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { connect } from "../../../services/nats/paced-transport.ts";

const MESSAGES = 20_000;
const INFO = JSON.stringify({ server_id: "fake", version: "2.9.10", max_payload: 1_048_576 });

/** Speaks just enough of the protocol, and answers a subscription with all messages at once. */
function serve(socket: Socket): void {
  socket.on("error", () => {});
  socket.write(`INFO ${INFO}\r\n`);
  socket.on("data", (data) => {
    for (const line of data.toString().split("\r\n")) {
      if (line === "PING") socket.write("PONG\r\n");
      const id = /^SUB \S+ (\d+)$/.exec(line)?.[1];
      const text = "x".repeat(400);
      if (id) socket.write(`MSG many ${id} ${text.length}\r\n${text}\r\n`.repeat(MESSAGES));
    }
  });
}

test("much that arrives at once leaves a turn to everything else again and again", async () => {
  await using server = createServer(serve).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  try {
    let [inTurn, most, all] = [0, 0, 0];
    const nextTurn = () => {
      inTurn = 0;
      if (all < MESSAGES) setImmediate(nextTurn);
    };
    nextTurn();
    await new Promise<void>((resolve) => {
      connection.subscribe("many", {
        callback() {
          inTurn += 1;
          most = Math.max(most, inTurn);
          all += 1;
          if (all === MESSAGES) resolve();
        },
      });
    });
    assert.ok(most <= 400, `${most} messages of 400 bytes were read in one turn`);
  } finally {
    await connection.close();
  }
});
