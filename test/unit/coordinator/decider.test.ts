import assert from "node:assert/strict";
import { test } from "node:test";
import { createDecider, type Decider } from "../../../services/coordinator/decider.ts";
import { createAllowlist } from "../../../services/coordinator/allowlist.ts";
import { liftBan } from "../../../services/coordinator/policy.ts";
import { createLog } from "../../../services/daemon/log.ts";
import { parseNetwork, type Address } from "../../../services/wire/address.ts";
import type { Ban } from "../../../services/wire/ban.ts";
import { encodeFailureBatch } from "../../../services/wire/failure.ts";
import type { Jail } from "../../../services/wire/settings.ts";
import { failureSubject } from "../../../services/wire/subjects.ts";

const START = Date.UTC(2026, 10, 24);
const A = parseNetwork("198.51.100.7")!;
const JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [143],
  maxretry: 5,
  findtime: 1200,
  bantime: 1200,
};

interface Message {
  subject: string;
  data: Uint8Array;
  timestampNanos: bigint;
}

/** One failure as an agent sends it; `at` in seconds after START. */
function failure(host: string, at: number, address: Address = A, storedAt = at): Message {
  const position = Math.round(at * 1000) + 1;
  const each = { position, address, at: START + at * 1000, attempts: 1, form: "test" };
  const batch = { v: 1, host, jail: "dovecot", source: "mail", epoch: "e" } as const;
  return {
    subject: failureSubject("dovecot", host),
    data: encodeFailureBatch({ ...batch, from: position - 1, to: position, failures: [each] }),
    timestampNanos: BigInt(START + storedAt * 1000) * 1_000_000n,
  };
}

/** A decider with a bucket in memory; `bucket` outlives it, as NATS does. */
function setUp(bucket = new Map<string, Ban>(), isHolder = true) {
  const clock = { now: START };
  const written: Ban[] = [];
  const allowlist = createAllowlist();
  const later: { decider?: Decider } = {};
  const decider = createDecider({
    jails: [JAIL],
    allowlist,
    isHolder: () => isHolder,
    now: () => clock.now,
    newId: () => crypto.randomUUID(),
    log: createLog("test", "silent"),
    bans: {
      get: (_jail, address) => bucket.get(address),
      change(_jail, address, step) {
        const ban = step(bucket.get(address));
        if (!ban) return Promise.resolve(undefined);
        bucket.set(address, ban);
        written.push(ban);
        later.decider?.observe(ban);
        return Promise.resolve({ ban, revision: written.length });
      },
    },
  });
  later.decider = decider;
  const tell = async (messages: readonly Message[]) => {
    for (const message of messages) {
      clock.now = Math.max(clock.now, Number(message.timestampNanos / 1_000_000n));
      decider.take(message);
      await Promise.resolve();
    }
    await new Promise(setImmediate);
  };
  return { decider, tell, written, bucket, allowlist, clock };
}

const ATTACK = ["mx1", "mx2", "mx3", "mx1", "mx2"].map((host, index) => failure(host, index));

test("an attacker below maxretry on every host is banned, with what each host saw", async () => {
  const { tell, written } = setUp();
  await tell(ATTACK.slice(0, 4));
  assert.deepEqual(written, []);
  await tell(ATTACK.slice(4));
  assert.equal(written.length, 1);
  const [ban] = written;
  assert.equal(ban?.until, START + 4_000 + 1_200_000);
  assert.deepEqual(ban.evidence, [
    { host: "mx1", failures: 2 },
    { host: "mx2", failures: 2 },
    { host: "mx3", failures: 1 },
  ]);
});

test("another decider that folds the same messages over the same bucket writes nothing", async () => {
  const { tell, bucket } = setUp();
  await tell(ATTACK);
  const second = setUp(bucket);
  await second.tell(ATTACK);
  assert.deepEqual(second.written, []);
});

test("a fold that begins in the middle of a count goes on with it", async () => {
  const first = setUp();
  await first.tell(ATTACK.slice(0, 4));
  const second = setUp(first.bucket);
  await second.tell(ATTACK.slice(0, 4));
  await second.tell(ATTACK.slice(4));
  assert.equal(second.written.length, 1);
});

test("a batch that is sent again counts once", async () => {
  const { tell, written, decider } = setUp();
  for (const message of ATTACK.slice(0, 4)) await tell([message, message, message]);
  assert.deepEqual(written, []);
  assert.equal(decider.counters.failures, 4);
});

test("who does not hold the lease writes nothing, and all that is due when it gets it", async () => {
  const waiting = setUp(new Map(), false);
  await waiting.tell(ATTACK);
  assert.deepEqual(waiting.written, []);
  assert.equal(waiting.decider.counters.due(), 1);
});

test("an unban holds against the failures that brought the ban, and those of its immunity", async () => {
  const { tell, bucket, written } = setUp();
  await tell(ATTACK);
  const now = START + 10_000;
  const lifted = liftBan(
    bucket.get(A)!,
    { by: "operator", reason: "", immunity: 1200 },
    { now, id: crypto.randomUUID() },
  );
  const again = setUp(new Map([[A, lifted]]));
  await again.tell(ATTACK);
  await again.tell([11, 12, 13, 14, 15, 16].map((at) => failure("mx3", at)));
  assert.deepEqual(again.written, []);
  await again.tell([1300, 1301, 1302, 1303, 1304].map((at) => failure("mx3", at)));
  assert.equal(again.written.length, 1);
  assert.equal(again.written[0]?.offence, 2);
  assert.equal(written.length, 1);
});

test("an address that is allowed, alone or in a network, is not banned", async () => {
  for (const entry of ["198.51.100.7", "198.51.100.0/24"]) {
    const { tell, written, allowlist } = setUp();
    const allowed = { v: 1, comment: "", addedAt: START, by: "test", origin: "operator" } as const;
    allowlist.set({ ...allowed, address: parseNetwork(entry)! });
    await tell(ATTACK);
    assert.deepEqual(written, []);
  }
});

test("a host whose clock runs ahead cannot ban into the future, nor keep others from banning", async () => {
  const { tell, written } = setUp();
  await tell(["mx1", "mx1", "mx1", "mx1", "mx1"].map((host, n) => failure(host, 90_000 + n, A, n)));
  assert.equal(written.length, 1);
  assert.ok((written[0]?.until ?? 0) <= START + 4_000 + 1_200_000);
});

test("failures whose ban would be over by now ban nobody", async () => {
  const { decider, written, clock } = setUp();
  clock.now = START + 5_000_000;
  for (const message of ATTACK) decider.take(message);
  await new Promise(setImmediate);
  assert.deepEqual(written, []);
});

test("what cannot be decoded is counted, and hides nothing", async () => {
  const { tell, decider, written } = setUp();
  const [first] = ATTACK;
  const garbage = [Buffer.from("{"), Buffer.from([0xff, 0]), Buffer.from('{"v":2}')];
  for (const data of garbage) await tell([{ ...first!, data }]);
  await tell([{ ...first!, subject: failureSubject("dovecot", "mx9") }]); // somebody else's name
  assert.equal(decider.counters.undecodable, 4);
  await tell(ATTACK);
  assert.equal(written.length, 1);
});
