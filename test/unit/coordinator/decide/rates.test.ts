/** Failures and bans of the last hour, in steps of ten seconds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRates } from "../../../../services/coordinator/decide/rates.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import type { Ban } from "../../../../services/wire/ban.ts";

const T0 = Date.UTC(2026, 10, 24, 12);
const SECOND = 1_000;
const HOUR = 3_600_000;

const banOf = (given: Partial<Ban>): Ban => ({
  ...{ v: 1, change: "00000000-0000-4000-8000-000000000000", jail: "dovecot" },
  ...{ address: parseAddress("198.51.100.7")!, state: "active", startsAt: T0, until: null },
  ...{ changedAt: T0, reason: "", offence: 1, evidence: [], by: "decider" },
  ...{ immuneUntil: null, countedUntil: null, ...given },
});

/** The steps that are not 0, by how many seconds ago they began. */
const filled = (counts: readonly number[]) =>
  Object.fromEntries(
    counts.flatMap((count, place) => (count ? [[(counts.length - 1 - place) * 10, count]] : [])),
  );

test("failures stay in their step for an hour, and then are gone", () => {
  let now = T0;
  const rates = createRates(() => now);
  rates.noteFailures(2, T0);
  rates.noteFailures(3, T0 - 15 * SECOND);
  rates.noteFailures(50, T0 - HOUR);
  rates.noteFailures(1, T0 + 60 * SECOND); // NATS's clock is ahead
  assert.deepEqual(filled(rates.lastHour().failures), { 0: 3, 20: 3 });
  assert.equal(rates.lastHour().since, T0 - HOUR + 10 * SECOND);
  now += 25 * SECOND;
  rates.noteFailures(7, now);
  assert.deepEqual(filled(rates.lastHour().failures), { 0: 7, 20: 3, 40: 3 });
  now = T0 + HOUR - SECOND;
  assert.deepEqual(filled(rates.lastHour().failures), { 3570: 7, 3590: 3 });
  now += 30 * HOUR;
  assert.deepEqual(filled(rates.lastHour().failures), {});
  assert.equal(rates.lastHour().failures.length, 360);
});

test("a ban counts once, when it comes into force", () => {
  const rates = createRates(() => T0);
  const at = (seconds: number) => T0 - seconds * SECOND;
  const counted = () => filled(rates.lastHour().bans);
  // Read from the bucket at the start: it was banned then, whatever became of it.
  rates.noteBan(banOf({ startsAt: at(600), state: "lifted", changedAt: at(300) }), undefined);
  rates.noteBan(banOf({ startsAt: at(700), state: "expired", changedAt: at(200) }), undefined);
  assert.deepEqual(counted(), { 600: 1, 700: 1 });
  // Never in force.
  rates.noteBan(banOf({ startsAt: at(500), state: "held", held: "too many" }), undefined);
  rates.noteBan(banOf({ startsAt: at(500), state: "shadow", held: "in shadow mode" }), undefined);
  rates.noteBan(banOf({ startsAt: at(500), state: "lifted", held: "too many" }), undefined);
  assert.deepEqual(counted(), { 600: 1, 700: 1 });
  const first = banOf({ startsAt: at(100), changedAt: at(100) });
  rates.noteBan(first, undefined);
  rates.noteBan(banOf({ startsAt: at(100), changedAt: at(50), reason: "longer" }), first);
  rates.noteBan(banOf({ startsAt: at(100), changedAt: at(40), state: "lifted" }), first);
  assert.deepEqual(counted(), { 100: 1, 600: 1, 700: 1 });
  const lifted = banOf({ startsAt: at(100), changedAt: at(40), state: "lifted" });
  rates.noteBan(banOf({ startsAt: at(20), changedAt: at(20) }), lifted);
  const held = banOf({ startsAt: at(90), state: "held", held: "too many" });
  rates.noteBan(banOf({ startsAt: at(10), changedAt: at(10) }), held);
  assert.deepEqual(counted(), { 10: 1, 20: 1, 100: 1, 600: 1, 700: 1 });
});
