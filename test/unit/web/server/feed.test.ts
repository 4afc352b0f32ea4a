/** The web page's feed over real connections; the test moves its clock. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { mock, test, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  createFeed,
  type News,
  type NewsSource,
  type Places,
} from "../../../../services/web/server/feed.ts";
import { parseAddress } from "../../../../services/wire/address.ts";

const TICK_MS = 500;
/** The feed keeps at most this much for a page that does not read, and the event that made it more. */
const MOST_WAITING = 64 * 1024;
const SESSION = { hash: "h", name: "alice", role: "operator", expiresAt: Infinity } as const;

interface Attack extends NewsSource {
  /** There are as many new failures as an event holds. */
  goOn(): void;
  /** How often it went on. */
  count(): number;
}

function attack(): Attack {
  let sequence = 0;
  const failures = Array.from({ length: 20 }, () => ({
    ...{ at: 1_790_000_000_000, host: "mx1", jail: "dovecot", attempts: 1, service: "imap" },
    ...{ address: parseAddress("192.0.2.1")!, user: "x".repeat(256) },
  }));
  return {
    goOn: () => void (sequence += 1),
    count: () => sequence,
    news(after: Places = { failures: sequence, bans: 0 }): News {
      const places = { failures: sequence, bans: 0 };
      const attempts = (sequence - after.failures) * failures.length;
      return { failures: attempts > 0 ? failures : [], attempts, bans: [], banCount: 0, places };
    },
    hosts: () => ({ hosts: [], hostCount: 0 }),
  };
}

interface ServedFeed {
  /** Opens the feed, and reads nothing of it. */
  open(): Promise<{ socket: Socket; response: ServerResponse }>;
  tick(): Promise<void>;
  /** Half a second in which nothing happens. */
  rest(): Promise<void>;
}

async function serveFeed(context: TestContext, source: Attack): Promise<ServedFeed> {
  mock.timers.enable({ apis: ["setInterval"] });
  let now = 1_790_000_000_000;
  const feed = createFeed({ source, now: () => now });
  const opened: ServerResponse[] = [];
  const server = createServer((request, response) => {
    feed.open(request, response, SESSION);
    opened.push(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  context.after(() => {
    feed.stop();
    mock.timers.reset();
    server.closeAllConnections();
    server.close();
  });
  const rest = async () => {
    now += TICK_MS;
    mock.timers.tick(TICK_MS);
    for (let turn = 0; turn < 4; turn += 1) await nextTurn();
  };
  return {
    rest,
    async open() {
      const socket = connect(port, "127.0.0.1").pause();
      socket.on("error", () => {});
      const before = opened.length;
      socket.write("GET /feed HTTP/1.1\r\nHost: test\r\n\r\n");
      while (opened.length === before) await nextTurn();
      return { socket, response: opened[before]! };
    },
    async tick() {
      source.goOn();
      await rest();
    },
  };
}

test("a page that does not read is cut off before much waits for it, and others go on", async (context) => {
  const source = attack();
  const served = await serveFeed(context, source);
  const reading = await served.open();
  let bytes = 0;
  reading.socket.on("data", (chunk) => (bytes += chunk.length)).resume();
  const stuck = [await served.open(), await served.open(), await served.open()];
  const longest = Math.max(
    ...(await waitingUntilCut(
      stuck.map(({ response }) => response),
      served,
    )),
  );
  const eventBytes = bytes / source.count();
  assert.ok(longest > 0, "the kernel's buffers are full");
  assert.ok(longest < MOST_WAITING + 2 * eventBytes, `${longest} bytes have waited`);
  assert.equal(reading.response.destroyed, false);
  const before = bytes;
  await served.tick();
  while (bytes === before) await nextTurn();
  for (const { socket } of [reading, ...stuck]) socket.destroy();
});

test("where nothing happens, a page still hears of its server every fifteen seconds", async (context) => {
  const served = await serveFeed(context, attack());
  const { socket, response } = await served.open();
  socket.resume();
  let [longest, quiet] = [0, 0];
  for (let tick = 0; tick < 200; tick += 1) {
    const before = response.socket?.bytesWritten ?? 0;
    await served.rest();
    quiet = response.socket?.bytesWritten === before ? quiet + TICK_MS : 0;
    longest = Math.max(longest, quiet);
  }
  assert.ok(longest < 15_000, `nothing for ${longest} ms`);
  socket.destroy();
});

/** The most bytes that have waited for each. */
async function waitingUntilCut(
  responses: readonly ServerResponse[],
  { tick }: ServedFeed,
): Promise<number[]> {
  const most = responses.map(() => 0);
  while (!responses.every(({ destroyed }) => destroyed)) {
    await tick();
    for (const [index, { writableLength }] of responses.entries()) {
      most[index] = Math.max(most[index]!, writableLength);
    }
  }
  return most;
}
