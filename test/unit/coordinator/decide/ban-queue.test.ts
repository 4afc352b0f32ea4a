import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { createBanQueue, type DueBan } from "../../../../services/coordinator/decide/ban-queue.ts";
import { parseNetwork, type Address } from "../../../../services/wire/address.ts";
import { JAIL } from "../../../harness/jail.ts";

const START = Date.UTC(2026, 10, 24);

function due(host: string, address: string, at = START): DueBan {
  const offence = { address: parseNetwork(address)!, at, since: at, hosts: new Map([[host, 5]]) };
  return { jail: JAIL, offence, host, storedAt: at };
}

/** A bucket whose writes end only when the test says so. */
function setUp() {
  const underWay: { address: Address; end: () => void; fail: (error: Error) => void }[] = [];
  const begun: Address[] = [];
  const bans = createBanQueue({
    bans: {
      change(_jail, address, step) {
        const ban = step(undefined, 0);
        begun.push(address);
        return new Promise((resolve, fail) => {
          underWay.push({
            address,
            fail,
            end: () => resolve(ban && { ban, revision: begun.length }),
          });
        });
      },
    },
    isLeader: () => true,
    now: () => START,
    newChange: () => ({ now: START, id: "id" }),
    log: pino({ level: "silent" }),
    onBanned: undefined,
    onMissed() {},
    judge: (ban) => ban,
  });
  const settle = () => new Promise(setImmediate);
  const endOne = async () => {
    underWay.shift()?.end();
    await settle();
  };
  return { bans, begun, underWay, endOne, settle };
}

const flood = Array.from({ length: 1000 }, (_, n) => due("liar", `10.0.${n >> 8}.${n & 255}`));

test("a flood of bans is written a few at a time, and all of it in the end", async () => {
  const { bans, begun, underWay, endOne } = setUp();
  for (const each of flood) bans.add(each);
  assert.ok(underWay.length < 100);
  while (underWay.length > 0) await endOne();
  assert.deepEqual(
    begun,
    flood.map(({ offence }) => offence.address),
  );
  assert.equal(bans.size, 0);
});

test("hosts take turns: what one host floods delays another's ban by one write", async () => {
  const { bans, begun, endOne } = setUp();
  for (const each of flood) bans.add(each);
  bans.add(due("honest", "198.51.100.7"));
  await endOne();
  await endOne();
  assert.ok(begun.includes("198.51.100.7" as Address));
});

test("a ban that could not be written is written when it is submitted again", async () => {
  const { bans, begun, underWay, endOne, settle } = setUp();
  bans.add(due("mx1", "198.51.100.7"));
  underWay.shift()?.fail(new Error("no responders"));
  await settle();
  assert.equal(bans.size, 1);
  bans.submit();
  await endOne();
  assert.deepEqual([begun.length, bans.size], [2, 0]);
});

test("a later offence of an address whose ban is being written waits for that", async () => {
  const { bans, begun, underWay, endOne } = setUp();
  bans.add(due("mx1", "198.51.100.7"));
  bans.add(due("mx2", "198.51.100.7", START + 1));
  assert.equal(underWay.length, 1);
  await endOne();
  assert.equal(begun.length, 2);
  await endOne();
  assert.equal(bans.size, 0);
});

test("what the bucket has covered meanwhile is not written", () => {
  const { bans, begun } = setUp();
  for (const each of flood) bans.add(each);
  const [last] = flood.slice(-1);
  assert.ok(last);
  const before = bans.size;
  bans.covered("dovecot", last.offence.address, last.offence.at);
  assert.equal(bans.size, before - 1);
  assert.ok(!begun.includes(last.offence.address));
});
