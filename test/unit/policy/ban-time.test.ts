import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { banSeconds, longestBanSeconds } from "../../../services/policy/ban-time.ts";

const growing = { factor: 1, multipliers: [], overalljails: false };
const lengths = (increment: object, bans = 6, bantime = 600) =>
  Array.from({ length: bans }, (_, before) =>
    banSeconds({ bantime, increment: { ...growing, ...increment } }, before, 0.5),
  );

describe("how long a ban lasts", () => {
  test("always bantime where bans do not grow, or are for ever", () => {
    assert.equal(banSeconds({ bantime: 600 }, 9, 0.5), 600);
    assert.equal(banSeconds({ bantime: null, increment: growing }, 9, 0.5), null);
  });

  test("twice as long each time, as fail2ban has it by itself", () => {
    assert.deepEqual(lengths({}), [600, 1200, 2400, 4800, 9600, 19_200]);
    assert.equal(banSeconds({ bantime: 1, increment: growing }, 99, 0), 2 ** 20);
  });

  test("factor counts from the second ban on, and makes no ban shorter than bantime", () => {
    assert.deepEqual(lengths({ factor: 3 }, 3), [600, 3600, 7200]);
    assert.deepEqual(lengths({ factor: 0.1 }, 5), [600, 600, 600, 600, 960]);
  });

  test("multipliers say the ban after how many others; the last holds for all others", () => {
    const minutes = { multipliers: [1, 5, 30, 60] };
    assert.deepEqual(lengths(minutes, 6, 60), [60, 300, 1800, 3600, 3600, 3600]);
    assert.deepEqual(lengths({ ...minutes, factor: 2 }, 3, 60), [60, 600, 3600]);
  });

  test("maxtime limits it, and rndtime is added to that, but not to the first ban", () => {
    assert.deepEqual(lengths({ maxtime: 1500 }, 4), [600, 1200, 1500, 1500]);
    assert.deepEqual(lengths({ maxtime: 1500, rndtime: 60 }, 4), [600, 1230, 1530, 1530]);
  });

  test("is never more than the longest", () => {
    const number = fc.double({ min: 0.1, max: 50, noNaN: true });
    const seconds = fc.option(fc.integer({ min: 1, max: 1e6 }), { nil: undefined });
    const increments = fc.record({
      factor: number,
      multipliers: fc.array(number, { maxLength: 5 }),
      maxtime: seconds,
      rndtime: seconds,
      overalljails: fc.boolean(),
    });
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(increments, fc.nat({ max: 30 }), fraction, (increment, before, part) => {
        const jail = { bantime: 600, increment };
        const longest = longestBanSeconds(jail) ?? Infinity;
        assert.ok((banSeconds(jail, before, part) ?? Infinity) <= longest);
      }),
    );
  });
});
