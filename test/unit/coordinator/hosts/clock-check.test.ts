import assert from "node:assert/strict";
import { test } from "node:test";
import { watchClock } from "../../../../services/coordinator/hosts/clock-check.ts";
import type { Host } from "../../../../services/coordinator/hosts/hosts.ts";

const START = Date.UTC(2026, 10, 24);
const HOUR = 3_600_000;

function hostAt(now: number, ahead: number): Host {
  const instance = "7c1f3c2e-6c0b-4c8e-9f7e-1c7ac0a1b2c3";
  return {
    seenAt: now,
    status: {
      ...{ v: 1, host: "mx1", instance, version: "1", startedAt: now, sentAt: now + ahead },
      ...{ firewall: "ipset", revision: 0, bansCreated: null, bansInForce: 0, addresses: [] },
      ...{ sources: [], refused: [], repairs: 0, warnings: [] },
    },
  };
}

/** A coordinator and a host whose clocks are so far ahead of NATS's. */
function setUp({ ahead = 0, hostAhead = 0 }) {
  const nats = { now: START, revision: 1, isAway: false };
  const now = () => nats.now + ahead;
  const host = () => hostAt(now(), hostAhead - ahead);
  const clock = watchClock({
    now,
    readLease: () =>
      nats.isAway
        ? Promise.reject(new Error("timeout"))
        : Promise.resolve({ revision: nats.revision, writtenAt: nats.now }),
  });
  /** The lease is renewed, and time goes on. */
  const lookAgain = async () => {
    nats.now += 10_000;
    nats.revision += 10;
    await clock.look();
  };
  const codes = () => [...clock.warnings(), ...clock.hostWarnings(host())].map(({ code }) => code);
  return { clock, nats, host, lookAgain, codes };
}

test("clocks that agree with NATS's are nothing to speak of", async () => {
  const { lookAgain, codes } = setUp({ ahead: 1_500, hostAhead: -3_000 });
  for (let round = 0; round < 3; round += 1) await lookAgain();
  assert.deepEqual(codes(), []);
});

test("a coordinator's clock that is ahead is said, and its hosts' are not blamed for it", async () => {
  const { clock, lookAgain, codes } = setUp({ ahead: 3 * HOUR });
  for (let round = 0; round < 3; round += 1) await lookAgain();
  assert.deepEqual(codes(), ["clock"]);
  assert.match(clock.warnings()[0]!.text, /coordinator's clock is 3h ahead of NATS's/);
});

test("a host's clock that is years off is said", async () => {
  const { clock, host, lookAgain, codes } = setUp({ hostAhead: -20 * 365 * 24 * HOUR });
  for (let round = 0; round < 3; round += 1) await lookAgain();
  assert.deepEqual(codes(), ["host-clock"]);
  assert.match(clock.hostWarnings(host())[0]!.text, / behind NATS's/);
});

test("a lease that nobody renews, or that cannot be read, tells nothing", async () => {
  const { clock, nats, lookAgain, codes } = setUp({});
  await lookAgain();
  nats.now += HOUR;
  const renewedAt = nats.revision;
  nats.revision = renewedAt;
  nats.isAway = true;
  await clock.look();
  assert.deepEqual(codes(), []);
});
