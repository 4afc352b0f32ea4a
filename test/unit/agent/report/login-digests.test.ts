import assert from "node:assert/strict";
import { test } from "node:test";
import { startLoginDigests } from "../../../../services/agent/report/login-digests.ts";
import { createSeenLogins } from "../../../../services/agent/seen-logins.ts";
import { emptyReading } from "../../../../services/detection/dovecot/reading.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import { decodeLoginDigest, type LoginDigest } from "../../../../services/wire/logins.ts";
import { JAIL } from "../../../harness/jail.ts";

const START = Date.UTC(2026, 10, 24);
const numbered = (index: number) => parseAddress(`10.0.${index >> 8}.${index & 255}`)!;

function setUp(maxBytes?: number) {
  const world = { now: START, sequence: 0, error: undefined as Error | undefined };
  const sent: LoginDigest[] = [];
  const troubles: unknown[] = [];
  /** When the next digest is to be sent; undefined: none is. */
  let timer: { at: number; work: () => void } | undefined;
  const logins = createSeenLogins(() => world.now);
  logins.learn([{ ...JAIL, knownGood: { factor: 3, within: 28_800 } }]);
  const digests = startLoginDigests({
    ...{ host: "mx1", logins, maxBytes: () => maxBytes, now: () => world.now },
    publish(subject, bytes) {
      if (world.error) return Promise.reject(world.error);
      sent.push(decodeLoginDigest(bytes, subject));
      world.sequence += 1;
      return Promise.resolve({ seq: world.sequence });
    },
    onStored() {},
    onTrouble: (error) => troubles.push(error),
    later(work, ms) {
      timer = { at: world.now + ms, work };
      return () => (timer = undefined);
    },
  });
  const login = (index: number) => {
    const reading = emptyReading("login-2.3-success");
    logins.note({ ...reading, verdict: "success", address: numbered(index), at: world.now });
  };
  /** Lets the time come when the next digest is sent; returns how long that took. */
  async function next(): Promise<number> {
    assert.ok(timer, "no digest is to be sent");
    const { at, work } = timer;
    const waited = at - world.now;
    timer = undefined;
    world.now = at;
    work();
    await new Promise(setImmediate);
    return waited;
  }
  return { world, sent, troubles, digests, login, next, isWaiting: () => timer !== undefined };
}

test("the first login is reported within a second, others with the next minute's digest", async () => {
  const { sent, login, next, isWaiting } = setUp();
  login(1);
  login(2);
  assert.equal(await next(), 1_000);
  assert.deepEqual(sent, [
    { v: 1, host: "mx1", logins: [1, 2].map((index) => ({ address: numbered(index), ago: 1 })) },
  ]);
  assert.equal(isWaiting(), false);
  login(1);
  assert.equal(isWaiting(), false);
  login(3);
  assert.equal(await next(), 60_000);
  assert.deepEqual(sent[1]?.logins, [{ address: numbered(3), ago: 60 }]);
});

test("a digest that NATS does not store is sent again with what came since", async () => {
  const { world, sent, troubles, login, next } = setUp();
  world.error = new Error("permissions violation");
  login(1);
  await next();
  login(2);
  assert.deepEqual([sent.length, troubles.length], [0, 1]);
  world.error = undefined;
  assert.equal(await next(), 60_000);
  assert.equal(sent[0]?.logins.length, 2);
});

test("100,000 logins in a minute are spread over digests, each of which fits into a message", async () => {
  const { sent, login, next } = setUp();
  for (let index = 0; index < 5_000; index += 1) login(index);
  for (let count = 0; count < 3; count += 1) await next();
  assert.deepEqual(
    sent.map(({ logins }) => logins.length),
    [2_000, 2_000, 1_000],
  );
  const small = setUp(1_000);
  for (let index = 0; index < 50; index += 1) small.login(index);
  await small.next();
  const [first] = small.sent;
  assert.ok(first && JSON.stringify(first).length <= 1_000);
  assert.ok(first.logins.length > 5);
});

test("a stream that NATS has made anew gets everything again", async () => {
  const { world, sent, login, next } = setUp();
  login(1);
  await next();
  world.sequence = 0;
  login(2);
  await next();
  await next();
  const [, second, third] = sent;
  assert.deepEqual(
    second?.logins.map(({ address }) => address),
    [numbered(2)],
  );
  assert.deepEqual(
    third?.logins.map(({ address }) => address),
    [numbered(1)],
  );
});

test("nothing is sent after the end", () => {
  const { digests, login, isWaiting } = setUp();
  login(1);
  digests.stop();
  assert.equal(isWaiting(), false);
  login(2);
  assert.equal(isWaiting(), false);
});
