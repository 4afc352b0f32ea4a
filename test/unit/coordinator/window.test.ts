import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createWindows, type Offence } from "../../../services/coordinator/window.ts";
import { parseAddress } from "../../../services/wire/address.ts";

const FINDTIME = 1_000;
const A = parseAddress("198.51.100.7")!;
const B = parseAddress("2001:db8::7")!;
const HOSTS = ["mx1", "mx2", "mx3"];

interface Attempt {
  address: typeof A;
  host: string;
  at: number;
}

const attempt = (longest: number) =>
  fc.record({
    address: fc.constantFrom(A, B),
    host: fc.constantFrom(...HOSTS),
    at: fc.integer({ min: 0, max: longest }),
  });

/** As one would do it with paper: all attempts of an address that still count, looked at anew. */
function naive(attempts: readonly Attempt[], maxretry: number): Offence[] {
  const offences: Offence[] = [];
  const counting = new Map<string, Attempt[]>();
  for (const each of attempts) {
    const recent = (counting.get(each.address) ?? []).filter(({ at }) => each.at - at < FINDTIME);
    recent.push(each);
    counting.set(each.address, recent);
    if (recent.length < maxretry) continue;
    const hosts = new Map<string, number>();
    for (const { host } of recent) hosts.set(host, (hosts.get(host) ?? 0) + 1);
    const since = recent[0]?.at ?? each.at;
    offences.push({ address: each.address, at: each.at, since, hosts });
    counting.set(each.address, []);
  }
  return offences;
}

test("attempts in the order of their time are counted as on paper", () => {
  fc.assert(
    fc.property(
      fc.array(attempt(10 * FINDTIME), { maxLength: 200 }),
      fc.integer({ min: 1, max: 7 }),
      (attempts, maxretry) => {
        // What an offence has used up ends at its instant: no two attempts at the same one.
        const sorted = attempts
          .sort((a, b) => a.at - b.at)
          .map((each, index) => ({ ...each, at: each.at * 1000 + index }))
          .map((each) => ({ ...each, at: each.at / 1000 }));
        const windows = createWindows({ maxretry, findtime: FINDTIME });
        const found = sorted.flatMap(({ address, host, at }) => windows.add(address, host, at, 1));
        assert.deepEqual(found, naive(sorted, maxretry));
      },
    ),
  );
});

test("in whatever order they arrive, an address offends or does not", () => {
  fc.assert(
    fc.property(
      fc.array(attempt(2 * FINDTIME), { maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      (attempts, maxretry) => {
        const windows = createWindows({ maxretry, findtime: FINDTIME });
        const found = attempts.flatMap(({ address, host, at }) =>
          windows.add(address, host, at, 1),
        );
        const expected = naive(
          attempts.toSorted((a, b) => a.at - b.at),
          maxretry,
        );
        const offenders = (offences: Offence[]) => new Set(offences.map(({ address }) => address));
        assert.deepEqual([...offenders(found)].sort(), [...offenders(expected)].sort());
      },
    ),
  );
});

test("exactly maxretry within findtime is an offence, one less or one instant later is not", () => {
  const count = (times: number[]) => {
    const windows = createWindows({ maxretry: 3, findtime: FINDTIME });
    return times.flatMap((at) => windows.add(A, "mx1", at, 1)).length;
  };
  assert.equal(count([0, 500]), 0);
  assert.equal(count([0, 500, 999]), 1);
  assert.equal(count([0, 500, 1000]), 0);
});

test("several attempts in one line count as many", () => {
  const windows = createWindows({ maxretry: 5, findtime: FINDTIME });
  assert.equal(windows.add(A, "mx1", 0, 3).length, 0);
  const [offence] = windows.add(A, "mx2", 10, 2);
  assert.deepEqual(
    offence?.hosts,
    new Map([
      ["mx1", 3],
      ["mx2", 2],
    ]),
  );
});

test("what was spent does not count again, also when it is told once more", () => {
  const windows = createWindows({ maxretry: 3, findtime: FINDTIME });
  for (const at of [0, 1, 2]) windows.add(A, "mx1", at, 1);
  for (const at of [0, 1, 2]) assert.deepEqual(windows.add(A, "mx1", at, 1), []);
  windows.spend(A, 500);
  for (const at of [400, 500, 501, 502]) assert.deepEqual(windows.add(A, "mx1", at, 1), []);
  assert.equal(windows.add(A, "mx1", 503, 1).length, 1);
});

test("addresses that were quiet are forgotten, and none holds more than it needs", () => {
  const windows = createWindows({ maxretry: 3, findtime: FINDTIME });
  windows.add(A, "mx1", 0, 1);
  windows.add(B, "mx1", 5 * FINDTIME, 1);
  windows.sweep(5 * FINDTIME);
  assert.equal(windows.size, 1);
  windows.sweep(50 * FINDTIME);
  assert.equal(windows.size, 0);
});
