/** Streams that cannot be followed, as an operator hears of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NatsConnection } from "@nats-io/nats-core";
import { createStreamTrouble, unreadStreams } from "../../../services/nats/unread-streams.ts";
import { withoutConsumer } from "../../../services/nats/follow-stream.ts";

function setUp() {
  const connection = {} as NatsConnection;
  const clock = { now: 0 };
  const now = () => clock.now;
  return {
    clock,
    follow: (stream: string) => createStreamTrouble(connection, stream, now),
    unread: () => unreadStreams(connection, now),
  };
}

test("a stream that cannot be followed for 15 s is unread, until it is followed", () => {
  const { clock, follow, unread } = setUp();
  const [bans, settings] = [follow("bans"), follow("settings")];
  bans.failed("first");
  clock.now = 14_999;
  bans.failed("refused");
  settings.failed("refused");
  assert.deepEqual(unread(), []);
  clock.now = 15_000;
  assert.deepEqual(unread(), [{ stream: "bans", reason: "refused" }]);
  bans.over();
  assert.deepEqual(unread(), []);
});

test("what failed while NATS was away does not count", () => {
  const { clock, follow, unread } = setUp();
  const bans = follow("bans");
  bans.failed("timeout");
  clock.now = 60_000;
  bans.reconnected();
  bans.failed("timeout");
  assert.deepEqual(unread(), []);
});

test("of two who follow one stream, one that can hides nothing of the other", () => {
  const { clock, follow, unread } = setUp();
  const [first, second] = [follow("bans"), follow("bans")];
  first.failed("refused");
  clock.now = 20_000;
  second.over();
  assert.equal(unread().length, 1);
});

test("a reason is the same for every consumer that is refused", () => {
  const subject = "$JS.API.CONSUMER.CREATE.KV_fleetban_bans";
  assert.equal(
    withoutConsumer(`Violation for "${subject}.follow_VdrUAI3l2SnTgJq2Tc6kL5"`),
    `Violation for "${subject}"`,
  );
});
