import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createWindows, type Offence } from "../../../services/policy/sliding-window.ts";
import { parseAddress, parseNetwork, type Address } from "../../../services/wire/address.ts";

const FINDTIME = 1_000;
const address = parseAddress("198.51.100.7")!;
const other = parseAddress("2001:db8::7")!;
const fiveTimes = () => createWindows({ maxretry: 5, findtime: FINDTIME });

interface Attempts {
  address: Address;
  host: string;
  at: number;
  attempts: number;
}

/**
 * What must come out, written for reading and not for speed: nothing is ever forgotten,
 * and every attempt is asked whether it ends maxretry of them.
 */
function createNaiveWindows(maxretry: number, findtime: number) {
  const told: { address: Address; host: string; at: number }[] = [];
  const countedUntil = new Map<Address, number>();
  const isSpent = (of: Address, at: number) => at <= (countedUntil.get(of) ?? -Infinity);

  function offence(of: Address): Offence | undefined {
    const counted = told.filter((each) => each.address === of && !isSpent(of, each.at));
    for (const { at } of counted.toSorted((a, b) => a.at - b.at)) {
      const within = counted.filter((each) => each.at <= at && each.at > at - findtime);
      if (within.length < maxretry) continue;
      const hosts = new Map<string, number>();
      for (const { host } of within) hosts.set(host, (hosts.get(host) ?? 0) + 1);
      return { address: of, at, since: Math.min(...within.map((each) => each.at)), hosts };
    }
    return undefined;
  }

  return ({ address: of, host, at, attempts }: Attempts): Offence[] => {
    const offences: Offence[] = [];
    for (let count = 0; count < attempts; count += 1) {
      if (isSpent(of, at)) continue;
      told.push({ address: of, host, at });
      const found = offence(of);
      if (!found) continue;
      countedUntil.set(of, found.at);
      offences.push(found);
    }
    return offences;
  };
}

/** As hosts tell of them: time goes on, and what is told may be late by less than a findtime. */
const story = fc
  .array(
    fc.record({
      address: fc.constantFrom(address, other),
      host: fc.constantFrom("mx1", "mx2", "mx3"),
      passes: fc.oneof(fc.constant(0), fc.nat({ max: 300 }), fc.nat({ max: 3 * FINDTIME })),
      late: fc.oneof(fc.constant(0), fc.nat({ max: FINDTIME - 1 })),
      attempts: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let clock = 10 * FINDTIME;
    return steps.map(({ passes, late, ...rest }) => {
      clock += passes;
      return { ...rest, at: clock - late, clock };
    });
  });

test("offences are those of a model that forgets nothing, however late attempts are told", () => {
  fc.assert(
    fc.property(story, fc.integer({ min: 1, max: 6 }), (steps, maxretry) => {
      const windows = createWindows({ maxretry, findtime: FINDTIME });
      const model = createNaiveWindows(maxretry, FINDTIME);
      for (const { clock, ...step } of steps) {
        const found = windows.add(step.address, step.host, step);
        assert.deepEqual(found, model(step));
        windows.sweep(clock);
      }
    }),
    { numRuns: 1_000 },
  );
});

describe("an address is due when maxretry attempts lie within less than findtime", () => {
  /** How many offences attempts at these times make. */
  const offences = (...times: number[]) => {
    const windows = fiveTimes();
    return times.flatMap((at) => windows.add(address, "mx1", { address, at, attempts: 1 })).length;
  };

  test("one attempt less than maxretry is no offence", () => {
    assert.equal(offences(1, 2, 3, 4), 0);
  });

  test("the last millisecond of findtime counts, findtime itself does not", () => {
    assert.equal(offences(0, 1, 2, 3, FINDTIME - 1), 1);
    assert.equal(offences(0, 1, 2, 3, FINDTIME), 0);
  });

  test("the window slides: what is too old leaves alone, the rest stays", () => {
    assert.equal(offences(0, 600, 700, 800, FINDTIME, 1_599), 1);
  });

  test("attempts all at one moment count each", () => {
    assert.equal(offences(7, 7, 7, 7, 7), 1);
  });

  test("an attempt that is told late completes the window that it belongs to", () => {
    assert.equal(offences(100, 300, 400, 500, 200), 1);
    assert.equal(offences(100, 300, 400, 500, -500), 0);
  });

  test("what a ban was decided on never counts again, nor does anything before it", () => {
    assert.equal(offences(1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 6, 7, 8, 9), 1);
    assert.equal(offences(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 2);
  });
});

test("failures of all hosts add up, and the offence says whose they were", () => {
  const windows = fiveTimes();
  windows.add(address, "mx1", { address, at: 10, attempts: 2 });
  windows.add(address, "mx2", { address, at: 20, attempts: 2 });
  const [offence, ...more] = windows.add(address, "mx3", { address, at: 30, attempts: 1 });
  assert.deepEqual(more, []);
  const hosts = new Map(Object.entries({ mx1: 2, mx2: 2, mx3: 1 }));
  assert.deepEqual(offence, { address, at: 30, since: 10, hosts });
});

test("addresses are counted each for itself", () => {
  const windows = fiveTimes();
  assert.deepEqual(windows.add(address, "mx1", { address, at: 1, attempts: 4 }), []);
  assert.deepEqual(windows.add(other, "mx1", { address: other, at: 2, attempts: 4 }), []);
  assert.equal(windows.size, 2);
});

test("one failure that stands for more attempts than maxretry is one offence", () => {
  assert.equal(fiveTimes().add(address, "mx1", { address, at: 1, attempts: 1_000 }).length, 1);
});

test("attempts that were spent from outside no longer count, later ones do", () => {
  const windows = fiveTimes();
  windows.add(address, "mx1", { address, at: 10, attempts: 4 });
  windows.spend(address, 10);
  assert.deepEqual(windows.add(address, "mx1", { address, at: 11, attempts: 4 }), []);
  assert.equal(windows.add(address, "mx1", { address, at: 12, attempts: 1 }).length, 1);
});

test("an address is forgotten once none of its attempts can matter, and not before", () => {
  const windows = fiveTimes();
  windows.add(address, "mx1", { address, at: 0, attempts: 4 });
  windows.sweep(2 * FINDTIME);
  assert.equal(windows.size, 1);
  windows.sweep(2 * FINDTIME + 1);
  assert.equal(windows.size, 0);
});

describe("addresses of one network that count together", () => {
  const network = parseNetwork("2001:db8:1:2::/64")!;
  const [one, two] = ["2001:db8:1:2::1", "2001:db8:1:2::2"].map((text) => parseAddress(text)!);
  const twice = (address: Address, at: number) => ({ address, at, attempts: 2 });

  test("the offence is the network's, and says what each address did", () => {
    const windows = fiveTimes();
    windows.add(network, "mx1", twice(one!, 10));
    windows.add(network, "mx2", twice(two!, 20));
    const [offence] = windows.add(network, "mx1", twice(one!, 30));
    assert.equal(offence?.address, network);
    assert.deepEqual(
      [...(offence.addresses ?? [])],
      [
        [one, 3],
        [two, 2],
      ],
    );
    assert.equal(windows.size, 1);
  });

  test("what one of them did may be spent without the others", () => {
    const windows = fiveTimes();
    windows.add(network, "mx1", twice(one!, 10));
    windows.add(network, "mx1", twice(two!, 10));
    windows.spendOf(network, one!, 10);
    assert.deepEqual(windows.add(network, "mx1", twice(two!, 11)), []);
    const [offence] = windows.add(network, "mx1", twice(one!, 12));
    assert.deepEqual(
      [...(offence?.addresses ?? [])],
      [
        [two, 4],
        [one, 1],
      ],
    );
  });
});

describe("attempts that several hosts must have seen", () => {
  const onTwo = (more = {}) =>
    createWindows({ maxretry: 5, findtime: FINDTIME, minhosts: 2, ...more });
  const fail = (windows: ReturnType<typeof onTwo>, host: string, at: number, user?: string) =>
    windows.add(address, host, { address, at, attempts: 1, user });

  test("are no offence of one host, however many, and one of two", () => {
    const windows = onTwo();
    for (let at = 0; at < 50; at += 1) assert.deepEqual(fail(windows, "mx1", at), []);
    const [offence] = fail(windows, "mx2", 50);
    assert.deepEqual(
      offence?.hosts,
      new Map([
        ["mx1", 5],
        ["mx2", 1],
      ]),
    );
    assert.deepEqual(fail(windows, "mx2", 51), []);
    const apart = onTwo();
    fail(apart, "mx2", 0);
    for (let at = 0; at < 9; at += 1) assert.deepEqual(fail(apart, "mx1", FINDTIME + at), []);
  });

  test("also when a decoy or several names were tried", () => {
    const windows = onTwo({ users: 2, decoys: ["oracle"] });
    assert.deepEqual(fail(windows, "mx1", 0, "Oracle"), []);
    assert.deepEqual(fail(windows, "mx1", 1, "bob"), []);
    const [offence] = fail(windows, "mx2", 2, "bob");
    assert.deepEqual([offence?.rule, offence?.decoy], ["decoy", "oracle"]);
    const spraying = onTwo({ users: 2 });
    assert.deepEqual(fail(spraying, "mx1", 0, "a"), []);
    assert.deepEqual(fail(spraying, "mx2", 1, "a"), []);
    assert.deepEqual(fail(spraying, "mx2", 2, "b")[0]?.rule, "users");
  });

  test("are offences as a model finds them, in the order of their times", () => {
    const step = fc.record({
      passes: fc.nat({ max: 400 }),
      host: fc.constantFrom("mx1", "mx1", "mx1", "mx2", "mx3"),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 2, max: 3 }),
        (steps, minhosts) => {
          const windows = onTwo({ minhosts });
          let told: { at: number; host: string }[] = [];
          let spentAt = -1;
          let at = 1;
          for (const { passes, host } of steps) {
            at += passes;
            const end = at;
            const found = fail(windows, host, at);
            const isCounted = (each: { at: number }) =>
              each.at > end - FINDTIME && each.at > spentAt;
            told = [...told, { at, host }].filter(isCounted);
            const isDue =
              told.length >= 5 && new Set(told.map((each) => each.host)).size >= minhosts;
            assert.equal(found.length, isDue ? 1 : 0);
            if (isDue) spentAt = at;
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("user names that an address tries", () => {
  const watching = () =>
    createWindows({ maxretry: 5, findtime: FINDTIME, users: 3, decoys: ["oracle", "test@x.org"] });
  const tries = (windows: ReturnType<typeof watching>, user: string | undefined, at: number) =>
    windows.add(address, "mx1", { address, at, attempts: 1, user });

  test("are an offence when there are so many within findtime, and one name is one", () => {
    const windows = watching();
    assert.deepEqual(tries(windows, "bob", 0), []);
    assert.deepEqual(tries(windows, "BOB", 1), []);
    assert.deepEqual(tries(windows, undefined, 2), []);
    assert.deepEqual(tries(windows, "carol", 3), []);
    const [offence] = tries(watching(), "oracle", 4);
    assert.equal(offence?.rule, "decoy");
    const far = watching();
    for (const [index, user] of ["a", "b", "c"].entries()) {
      assert.deepEqual(tries(far, user, index * FINDTIME), []);
    }
    const near = watching();
    const found = ["a", "b", "c"].map((user, index) => tries(near, user, index * 400)[0]);
    assert.deepEqual(found.slice(0, 2), [undefined, undefined]);
    assert.deepEqual([found[2]?.rule, found[2]?.count, found[2]?.since], ["users", 3, 0]);
    assert.deepEqual(tries(near, "d", 801), []);
  });

  test("that nobody has are an offence at once, in any case, with the very domain", () => {
    for (const user of ["Oracle", "TEST@x.org"]) {
      const [offence, ...more] = tries(watching(), user, 7);
      assert.deepEqual([offence?.decoy, offence?.at, more], [user.toLowerCase(), 7, []]);
    }
    assert.deepEqual(tries(watching(), "oracle@x.org", 7), []);
    const windows = watching();
    tries(windows, "oracle", 7);
    assert.deepEqual(tries(windows, "oracle", 7), []);
  });

  test("are an offence when they are of so many unrelated domains", () => {
    const windows = createWindows({ maxretry: 5, findtime: FINDTIME, domains: 2 });
    for (const [at, user] of ["a@x.org", "b@mail.x.org", "c", undefined].entries()) {
      assert.deepEqual(tries(windows, user, at), []);
    }
    assert.deepEqual(tries(windows, "a@x.net", FINDTIME + 1), []);
    const [offence, ...more] = tries(windows, "A@X.ORG", FINDTIME + 2);
    assert.deepEqual([offence?.rule, offence?.count, more], ["domains", 2, []]);
    assert.deepEqual(tries(windows, "a@x.com", FINDTIME + 3), []);
  });

  test("are offences as a model finds them, whatever the order", () => {
    const step = fc.record({
      passes: fc.nat({ max: 400 }),
      late: fc.nat({ max: FINDTIME - 1 }),
      user: fc.constantFrom("a", "b", "c", "a@x.org", "b@mx.x.org", "a@y.org", undefined),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const windows = createWindows({
          ...{ maxretry: 5, findtime: FINDTIME, users: 3, domains: 2 },
        });
        let told: { at: number; user: string | undefined }[] = [];
        let clock = 10 * FINDTIME;
        let spent = -Infinity;
        for (const { passes, late, user } of steps) {
          clock += passes;
          const at = clock - late;
          const found = tries(windows, user, at);
          if (at > spent) told.push({ at, user });
          const due = told
            .map((each) => each.at)
            .sort((a, b) => a - b)
            .find((end) => {
              const within = told.filter((each) => each.at <= end && each.at > end - FINDTIME);
              const names = new Set(within.flatMap((each) => each.user ?? []));
              const ends = [...names].map((name) => /[xy]\.org$/.exec(name)?.[0]);
              const domains = new Set(ends.filter((name) => name !== undefined));
              return within.length >= 5 || names.size >= 3 || domains.size >= 2;
            });
          assert.deepEqual(
            found.map((each) => each.at),
            due === undefined ? [] : [due],
          );
          spent = due ?? spent;
          told = told.filter((each) => each.at > spent);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("known-good addresses", () => {
  const WITHIN = 10_000;
  const sparing = (more = {}) =>
    createWindows({
      ...{ maxretry: 2, findtime: FINDTIME, knownGood: { factor: 2.5, within: WITHIN / 1000 } },
      hasLoggedIn: (of, since) => of === address && since <= 0,
      ...more,
    });
  const fail = (windows: ReturnType<typeof sparing>, at: number, of = address, user?: string) =>
    windows.add(of, "mx1", { address: of, at, attempts: 1, user });

  test("need a higher count, which the offence names, and others do not", () => {
    const windows = sparing();
    for (let at = 1; at < 5; at += 1) assert.deepEqual(fail(windows, at), []);
    const [offence] = fail(windows, 5);
    assert.deepEqual([offence?.factor, offence?.hosts], [2.5, new Map([["mx1", 5]])]);
    assert.deepEqual(fail(windows, 1, other), []);
    const [stranger] = fail(windows, 2, other);
    assert.deepEqual([stranger?.at, stranger?.factor], [2, undefined]);
  });

  test("count as any other when their last login is too long ago", () => {
    const windows = sparing();
    for (let at = 1; at < 5; at += 1) fail(windows, WITHIN - 5 + at);
    const [offence] = fail(windows, WITHIN + 1);
    assert.deepEqual([offence?.at, offence?.factor], [WITHIN + 1, undefined]);
  });

  test("have no immunity: a decoy bans at once, and so do many names", () => {
    const windows = sparing({ users: 2, decoys: ["oracle"], maxretry: 9 });
    assert.equal(fail(windows, 1, address, "Oracle")[0]?.rule, "decoy");
    for (const [index, user] of ["a", "b", "c", "d"].entries()) {
      assert.deepEqual(fail(windows, 2 + index, address, user), []);
    }
    const [offence] = fail(windows, 6, address, "e");
    assert.deepEqual([offence?.rule, offence?.count, offence?.factor], ["users", 5, 2.5]);
  });

  test("spare their network, as long as one of them is among those that fail", () => {
    const network = parseNetwork("198.51.100.0/24")!;
    const neighbour = parseAddress("198.51.100.8")!;
    const windows = sparing();
    const failIn = (of: Address, at: number) =>
      windows.add(network, "mx1", { address: of, at, attempts: 1 });
    assert.deepEqual(failIn(address, 1), []);
    for (let at = 2; at < 3; at += 1) assert.deepEqual(failIn(neighbour, at), []);
    const [offence] = failIn(neighbour, 3);
    assert.deepEqual(offence?.addresses, new Map([[neighbour, 2]]));
  });

  test("are those of a model with the higher count, also where several hosts must have seen them", () => {
    fc.assert(
      fc.property(
        story,
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        (steps, maxretry, isKnown) => {
          for (const minhosts of isKnown ? [1, 2] : [1]) {
            const common = { findtime: FINDTIME, minhosts };
            const knownGood = { factor: 3, within: 1e9 };
            const windows = createWindows({
              ...{ ...common, maxretry, knownGood, hasLoggedIn: () => isKnown },
            });
            const model = createWindows({ ...common, maxretry: isKnown ? 3 * maxretry : maxretry });
            for (const step of steps) {
              const found = windows.add(step.address, step.host, step);
              const expected = model.add(step.address, step.host, step);
              assert.deepEqual(
                found.map(({ address: of, at, factor }) => [of, at, factor]),
                expected.map(({ address: of, at }) => [of, at, isKnown ? 3 : undefined]),
              );
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
