import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import {
  createFailurePublisher,
  type ReadLines,
} from "../../../../services/agent/report/failure-publisher.ts";
import type { Provisional } from "../../../../services/detection/attempts/provisional.ts";
import { createDuplicateFilter } from "../../../../services/coordinator/decide/duplicate-filter.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import { decodeFailureBatch, type FailureBatch } from "../../../../services/wire/failure.ts";
import { eventually } from "../../../harness/eventually.ts";

const address = parseAddress("198.51.100.7")!;
const none = { user: undefined, service: undefined, session: undefined, provisional: undefined };

/** Lines of which each is 100 bytes long and a failure. */
function lines(first: number, count: number, epoch = "e1"): ReadLines {
  const failures = Array.from({ length: count }, (_, index) => {
    const position = (first + index + 1) * 100;
    return { ...none, position, address, at: 0, attempts: 1, form: "test" };
  });
  const [from, to] = [first * 100, (first + count) * 100];
  return {
    lane: "mail",
    source: "mail",
    jail: "dovecot",
    epoch,
    from,
    to,
    failures,
    withdrawn: [],
  };
}

const NOW: number = 1_790_000_000_000;

const upTo = (position: number) => ({ state: "up-to", position });

/** A server that answers when it is told to. */
function setUp(t: TestContext, { now = () => NOW } = {}) {
  const arrived: FailureBatch[] = [];
  const answers: ((error?: Error) => void)[] = [];
  const publisher = createFailurePublisher({
    host: "mx1",
    now,
    publish: (subject, bytes) =>
      new Promise((resolve, reject) => {
        arrived.push(decodeFailureBatch(bytes, subject));
        answers.push((error) => (error ? reject(error) : resolve({ seq: arrived.length })));
      }),
    onStored: () => {},
    onTrouble: () => {},
  });
  t.after(() => publisher.close()); // one that is never answered tries for ever
  const answer = async (error?: Error) => {
    await eventually("something was sent", () => answers.length > 0);
    answers.shift()?.(error);
    await new Promise(setImmediate);
  };
  const sizes = () => arrived.map(({ failures }) => failures.length);
  return { publisher, arrived, answers, answer, sizes };
}

test("a failure goes out at once, and what comes meanwhile is the next batch", async (t) => {
  const { publisher, answer, sizes, arrived } = setUp(t);
  void publisher.add(lines(0, 1));
  assert.deepEqual(sizes(), [1]);
  void publisher.add(lines(1, 1));
  void publisher.add(lines(2, 5));
  assert.deepEqual(sizes(), [1]);
  await answer();
  assert.deepEqual(sizes(), [1, 6]);
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(100));
  await answer();
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(700));
  assert.deepEqual(
    arrived.map(({ from, to }) => [from, to]),
    [
      [0, 100],
      [100, 700],
    ],
  );
});

test("a batch without an answer is sent again until there is one, before anything else", async (t) => {
  const { publisher, answer, arrived } = setUp(t);
  void publisher.add(lines(0, 2));
  void publisher.add(lines(2, 1));
  await answer(new Error("timeout"));
  await answer(new Error("timeout"));
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(0));
  await answer();
  await answer();
  assert.deepEqual(
    arrived.map(({ to }) => to),
    [200, 200, 200, 300],
  );
  const seen = createDuplicateFilter(() => 0);
  assert.equal(arrived.flatMap((batch) => seen.take(batch)).length, 3);
});

test("lines without a failure need no message, and are as good as acknowledged", (t) => {
  const { publisher, arrived } = setUp(t);
  void publisher.add({ ...lines(0, 0), to: 5_000 });
  assert.equal(arrived.length, 0);
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(5_000));
});

test("a reader waits while too much is not acknowledged", async (t) => {
  const { publisher, answer, sizes } = setUp(t);
  assert.equal(publisher.add(lines(0, 9_999)), undefined);
  const wait = publisher.add(lines(9_999, 2_000));
  assert.ok(wait);
  let isOver = false;
  void wait.then(() => (isOver = true));
  while (publisher.backlog() >= 5_000) {
    assert.equal(isOver, false);
    await answer();
  }
  await eventually("the reader goes on", () => isOver);
  assert.ok(sizes().every((size) => size <= 1_000));
});

/** The same lines, of which one failure is provisional. */
function uncertain(given: ReadLines, index: number, provisional: Provisional): ReadLines {
  const failures = given.failures.map((failure, place) =>
    place === index ? { ...failure, provisional } : failure,
  );
  return { ...given, failures };
}

test("a provisional failure waits, with what stands behind it, and is settled when it is sent", async (t) => {
  let now = NOW;
  const { publisher, answer, arrived } = setUp(t, { now: () => now });
  const name = { until: NOW + 20 };
  const settled: Provisional[] = [];
  publisher.onSettled((provisional) => settled.push(provisional));
  void publisher.add(uncertain(lines(0, 3), 1, name));
  await answer();
  assert.equal(settled.length, 0);
  void publisher.add(lines(3, 1));
  assert.deepEqual(
    arrived.map(({ from, to }) => [from, to]),
    [[0, 100]],
  );
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(100));
  assert.equal(publisher.backlog(), 3);
  now = NOW + 20;
  await answer();
  assert.deepEqual(
    arrived.map(({ from, to }) => [from, to]),
    [
      [0, 100],
      [100, 400],
    ],
  );
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(400));
  assert.ok(settled.includes(name), "it is too late to withdraw it");
});

test("a failure that was withdrawn is never sent, and its lines are as good as acknowledged", async (t) => {
  const { publisher, arrived, answer } = setUp(t);
  const [one, other, third] = [1, 2, 3].map(() => ({ until: NOW + 1_000 }));
  void publisher.add(uncertain(lines(0, 1), 0, one!));
  void publisher.add(uncertain(lines(1, 2), 0, other!));
  const atOnce = uncertain(lines(3, 1), 0, third!);
  void publisher.add({ ...atOnce, to: 500, withdrawn: [one!, other!, third!] });
  await answer();
  assert.deepEqual(
    arrived.map(({ from, to, failures }) => [from, to, failures.length]),
    [[0, 500, 1]],
  );
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(500));
  assert.equal(publisher.backlog(), 0);
});

test("only what is left of a failure is sent", async (t) => {
  const { publisher, arrived, answer } = setUp(t);
  const name = { until: NOW };
  const given = uncertain(lines(0, 1), 0, name);
  const failures = given.failures.map((failure) => ({ ...failure, attempts: 3 }));
  void publisher.add({ ...given, failures, withdrawn: [name] });
  await answer();
  void publisher.add(lines(1, 1));
  await answer();
  assert.deepEqual(
    arrived.flatMap((batch) => batch.failures.map(({ attempts }) => attempts)),
    [2, 1],
  );
});

test("a clock that was set back holds nothing for ever", async (t) => {
  const { publisher, answer, arrived } = setUp(t);
  void publisher.add(uncertain(lines(0, 1), 0, { until: NOW + 3_600_000 }));
  await answer();
  assert.equal(arrived.length, 1);
});

test("every batch is of one epoch, and none claims positions of another", async (t) => {
  const { publisher, answer, arrived } = setUp(t);
  void publisher.add(lines(40, 1, "e1"));
  void publisher.add(lines(41, 2, "e1"));
  void publisher.add(lines(0, 3, "e2"));
  for (let round = 0; round < 3; round += 1) await answer();
  assert.deepEqual(
    arrived.map(({ epoch, from, to }) => [epoch, from, to]),
    [
      ["e1", 4000, 4100],
      ["e1", 4100, 4300],
      ["e2", 0, 300],
    ],
  );
  assert.deepEqual(publisher.acknowledged("mail", "e2"), upTo(300));
});

test("nothing of a new epoch is acknowledged while something of the one before is not", async (t) => {
  const { publisher, answer } = setUp(t);
  void publisher.add(lines(40, 1, "e1"));
  assert.deepEqual(
    publisher.acknowledged("mail", "e2"),
    { state: "not-yet" },
    "and nothing of it was read yet",
  );
  void publisher.add({ ...lines(0, 0, "e2"), to: 200 });
  assert.deepEqual(publisher.acknowledged("mail", "e2"), { state: "not-yet" });
  await answer();
  assert.deepEqual(publisher.acknowledged("mail", "e2"), upTo(200));
  assert.deepEqual(publisher.acknowledged("mail", "e3"), { state: "all" });
});

test("however long the names that an attacker tries, what is sent can be decoded", async (t) => {
  const { publisher, arrived, answer } = setUp(t);
  void publisher.add(lines(0, 1));
  for (const [index, letter] of ["\u0001", "\ud83d", "\u6f22", '"'].entries()) {
    const given = lines(1 + index * 1_000, 1_000);
    const user = letter.repeat(1_000);
    const failures = given.failures.map((each) => {
      return { ...each, user, service: user, session: user };
    });
    void publisher.add({ ...given, failures });
  }
  for (let sent = 0; sent < 4_001; sent = arrived.flatMap((batch) => batch.failures).length) {
    await answer(); // decodes what comes, as the coordinator does
  }
  assert.equal(arrived.at(-1)?.to, 400_100);
});

test("whatever is read, and however late the answers: every failure is stored, once and in order", async (t) => {
  const step = fc.record({
    failures: fc.nat({ max: 900 }),
    silent: fc.nat({ max: 3 }),
    answers: fc.nat({ max: 2 }),
  });
  const story = fc.array(step, { minLength: 1, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(story, fc.boolean(), async (steps, failsOnce) => {
      const { publisher, arrived, answers, answer } = setUp(t);
      const stored: FailureBatch[] = [];
      const store = async () => {
        await answer();
        stored.push(arrived[arrived.length - answers.length - 1]!);
      };
      const positions: number[] = [];
      let read = 0;
      for (const { failures, silent, answers: count } of steps) {
        const given = lines(read, failures);
        positions.push(...given.failures.map(({ position }) => position));
        read += failures + silent;
        void publisher.add({ ...given, to: read * 100 });
        for (let left = count; left > 0 && answers.length > 0; left -= 1) await store();
      }
      if (failsOnce && answers.length > 0) await answer(new Error("timeout"));
      while (publisher.backlog() > 0) await store();
      assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(read * 100));
      assert.deepEqual(
        stored.flatMap(({ failures }) => failures.map(({ position }) => position)),
        positions,
      );
      let end = 0;
      for (const { from, to, failures } of stored) {
        // Between two batches lies nothing but lines without a failure.
        assert.ok(from >= end && to > from);
        assert.ok(failures.every(({ position }) => position > from && position <= to));
        end = to;
      }
    }),
    { numRuns: 40 },
  );
});

test("a publisher that is closed sends nothing again", async (t) => {
  const { publisher, answer, arrived } = setUp(t);
  void publisher.add(lines(0, 1));
  publisher.close();
  await answer(new Error("connection closed"));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(arrived.length, 1);
  assert.deepEqual(publisher.acknowledged("mail", "e1"), upTo(0));
});
