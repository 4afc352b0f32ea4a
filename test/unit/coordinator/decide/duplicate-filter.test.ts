import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  createDuplicateFilter,
  type DuplicateFilter,
} from "../../../../services/coordinator/decide/duplicate-filter.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import type { FailureBatch } from "../../../../services/wire/failure.ts";

const address = parseAddress("198.51.100.7")!;

/** A batch that covers `from` to `to`, with failures where lines end at `positions`. */
function batch(
  from: number,
  to: number,
  positions: readonly number[],
  sender: Partial<Pick<FailureBatch, "host" | "source" | "epoch">> = {},
): FailureBatch {
  const failures = positions.map((position) => {
    return { position, address, at: 1_790_000_000_000 + position, attempts: 1, form: "login" };
  });
  const identity = { v: 1, host: "mx1", jail: "dovecot", source: "mail-log", epoch: "e1" } as const;
  return { ...identity, sentAt: 1_790_000_000_000, from, to, failures, ...sender };
}

const positions = (seen: DuplicateFilter, given: FailureBatch) =>
  seen.take(given).map(({ position }) => position);

test("a batch that is told twice counts once", () => {
  const seen = createDuplicateFilter(() => 0);
  assert.deepEqual(positions(seen, batch(0, 100, [50, 100])), [50, 100]);
  assert.deepEqual(positions(seen, batch(0, 100, [50, 100])), []);
});

test("of a batch that reaches further than what was seen, only the rest counts", () => {
  const seen = createDuplicateFilter(() => 0);
  positions(seen, batch(0, 100, [50, 100]));
  assert.deepEqual(positions(seen, batch(20, 300, [50, 100, 200])), [200]);
  assert.deepEqual(positions(seen, batch(100, 300, [200])), []);
});

test("an old batch that comes late does not bring back what was seen since", () => {
  const seen = createDuplicateFilter(() => 0);
  positions(seen, batch(0, 300, [300]));
  assert.deepEqual(positions(seen, batch(0, 100, [100])), []);
  assert.deepEqual(positions(seen, batch(0, 300, [300])), []);
});

test("hosts, sources and epochs have positions of their own", () => {
  const seen = createDuplicateFilter(() => 0);
  for (const sender of [{}, { host: "mx2" }, { source: "journal" }, { epoch: "e2" }]) {
    assert.deepEqual(positions(seen, batch(0, 100, [100], sender)), [100]);
    assert.deepEqual(positions(seen, batch(0, 100, [100], sender)), []);
  }
});

test("a source is forgotten only when it was silent for long enough", () => {
  let now = 1_000;
  const seen = createDuplicateFilter(() => now);
  positions(seen, batch(0, 100, [100]));
  now = 2_000;
  positions(seen, batch(0, 100, [100])); // heard again, although with nothing new
  seen.sweep(2_000);
  assert.deepEqual(positions(seen, batch(0, 100, [100])), []);
  seen.sweep(2_001);
  assert.deepEqual(positions(seen, batch(0, 100, [100])), [100]);
});

test("an agent that goes on from any checkpoint, any number of times, is counted once a line", () => {
  const lines = Array.from({ length: 40 }, (_, index) => (index + 1) * 10);
  const run = fc.record({
    start: fc.nat({ max: 39 }),
    sizes: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 12 }),
  });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
      const seen = createDuplicateFilter(() => 0);
      const counted: number[] = [];
      let published = 0;
      for (const { start, sizes } of [...runs, { start: 0, sizes: [40] }]) {
        // A checkpoint is never beyond what was published.
        let place = Math.min(start, published);
        for (const size of sizes) {
          const part = lines.slice(place, place + size);
          const to = part.at(-1);
          if (to === undefined) break;
          counted.push(...positions(seen, batch(place * 10, to, part)));
          place += part.length;
          published = Math.max(published, place);
        }
      }
      assert.deepEqual(counted, lines);
    }),
  );
});

test("a host that makes up ever new epochs forgets its own, and nobody else's", () => {
  const seen = createDuplicateFilter(() => 0);
  seen.take(batch(0, 100, [50], { host: "mx2" }));
  for (let epoch = 0; epoch < 10_000; epoch += 1) {
    seen.take(batch(0, 100, [50], { epoch: `e${epoch}` }));
  }
  assert.deepEqual(positions(seen, batch(0, 100, [50], { host: "mx2" })), []);
  assert.deepEqual(positions(seen, batch(0, 100, [50], { epoch: "e9999" })), []);
  assert.deepEqual(positions(seen, batch(0, 100, [50], { epoch: "e0" })), [50]);
});
