/** A replay of the past decides as the decider does, and forgets only what matters no more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  createReplay,
  type ReplayOptions,
  type SimulatedBan,
} from "../../../services/policy/replay.ts";
import type { Attempts } from "../../../services/policy/sliding-window.ts";
import { overlaps, parseNetwork } from "../../../services/wire/address.ts";
import type { Jail } from "../../../services/wire/settings.ts";
import { JAIL } from "../../harness/jail.ts";

const T0 = 1_790_000_000_000;
const addressOf = (text: string) => parseNetwork(text)!;
const RECIDIVE: Jail = {
  ...{ ...JAIL, name: "recidive", source: "bans", maxretry: 2 },
  ...{ findtime: 7_200, bantime: 10_800 },
};

function trial(jail: Jail, options: Partial<ReplayOptions> & { recidive?: Jail } = {}) {
  const { recidive, ...others } = options;
  const bans: SimulatedBan[] = [];
  const replay = createReplay({
    policy: { jail, recidive, dbpurgeage: 7_200, scope: "fleet" },
    onBan: (ban) => bans.push(ban),
    ...others,
  });
  return { replay, bans };
}

const failure = (address: string, second: number): Attempts => ({
  ...{ address: addressOf(address), at: T0 + second * 1000, attempts: 1 },
});

const JAILS: readonly Jail[] = [
  { ...JAIL, maxretry: 3, findtime: 600, bantime: 600 },
  {
    ...{ ...JAIL, maxretry: 2, findtime: 300, bantime: 300 },
    increment: { factor: 1, multipliers: [], overalljails: false },
  },
  { ...JAIL, maxretry: 2, network: { prefix4: 24, prefix6: 48, addresses: 2, findtime: 900 } },
  { ...JAIL, maxretry: 2, bantime: null },
  { ...JAIL, maxretry: 4, ipv4_prefix: 24, users: 2 },
];

test("what a replay forgets changes no ban and no number", () => {
  const steps = fc.array(
    fc.record({
      after: fc.constantFrom(1, 30, 200, 700, 3_000, 9_000),
      address: fc.constantFrom("198.51.100.7", "198.51.100.8", "2001:db8::1"),
      host: fc.constantFrom("mx1", "mx2"),
      user: fc.constantFrom("alice", "bob", undefined),
    }),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...JAILS), fc.boolean(), steps, (jail, isRepeated, failures) => {
      const options = isRepeated ? { recidive: RECIDIVE } : {};
      const [keeping, forgetting] = [trial(jail, options), trial(jail, options)];
      let second = 0;
      for (const { after, address, host, user } of failures) {
        second += after;
        const given = { ...failure(address, second), user };
        for (const { replay } of [keeping, forgetting]) replay.fail(host, given);
        forgetting.replay.sweep(given.at);
      }
      assert.deepEqual(forgetting.bans, keeping.bans);
      assert.equal(forgetting.replay.prevented(), keeping.replay.prevented());
    }),
    { numRuns: 300 },
  );
});

test("a spared address is not banned, nor a network that holds it", () => {
  const office = addressOf("198.51.100.9");
  const isSpared: ReplayOptions["isSpared"] = (address) => overlaps(address, office);
  const jail = { ...JAIL, maxretry: 2, ipv4_prefix: 24 };
  const { replay, bans } = trial(jail, { isSpared });
  for (const second of [0, 1, 2]) replay.fail("mx1", failure("198.51.100.9", second));
  assert.deepEqual(bans, []);
  for (const second of [3, 4]) replay.fail("mx1", failure("198.51.100.7", second));
  for (const second of [5, 6]) replay.fail("mx1", failure("203.0.113.7", second));
  assert.deepEqual(
    bans.map(({ address }) => String(address)),
    ["198.51.100.7", "203.0.113.0/24"],
  );
});

test("logins that are known from elsewhere make an address known good", () => {
  const jail = { ...JAIL, maxretry: 2, knownGood: { factor: 2, within: 3_600 } };
  const known = addressOf("198.51.100.7");
  const asked: number[] = [];
  const { replay, bans } = trial(jail, {
    hasLoggedIn(address, since) {
      asked.push(since);
      return address === known;
    },
  });
  for (const second of [0, 1, 2]) {
    replay.fail("mx1", failure("198.51.100.7", second));
    replay.fail("mx1", failure("198.51.100.8", second));
  }
  assert.deepEqual(
    bans.map(({ address }) => String(address)),
    ["198.51.100.8"],
  );
  assert.ok(asked.includes(T0 + 1_000 - 3_600_000));
});
