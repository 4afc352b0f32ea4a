/** What the web page asks the record: attempts over time, and who attacks an account. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { findAccount } from "../../services/coordinator/history/account-queries.ts";
import { findSeries, type SeriesQuery } from "../../services/coordinator/history/failure-series.ts";
import { insertBanChanges } from "../../services/coordinator/history/insert.ts";
import { DAY_MS, dayOf } from "../../services/coordinator/history/partitions.ts";
import { recordFailures } from "../../services/coordinator/history/reported.ts";
import { keepRecord } from "../../services/coordinator/history/record-upkeep.ts";
import {
  replayFailures,
  type ReplayQuery,
} from "../../services/coordinator/history/replay-failures.ts";
import { createWhereabouts } from "../../services/coordinator/history/whereabouts.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import type { Ban } from "../../services/wire/ban.ts";
import type { Failure } from "../../services/wire/failure.ts";
import { openRecord as openRecordAt, type RecordDatabase } from "../harness/record-database.ts";
import { startTestPostgres, type TestPostgres } from "../harness/servers.ts";

const TODAY = dayOf(new Date()).getTime();
const HOUR_MS = 3_600_000;
const KEPT = { failures: 90 * 86_400, bans: 400 * 86_400 };
const addressOf = (text: string) => parseNetwork(text)!;

let postgres: TestPostgres;
before(async () => {
  postgres = await startTestPostgres();
});
after(() => postgres[Symbol.asyncDispose]());

const openRecord = async () => openRecordAt(await postgres.createDatabase());

let position = 0;
type Given = Partial<Failure> & { host?: string; jail?: string; recordedAt?: number };

/** Records failures as if PostgreSQL's clock showed their time, or `recordedAt`. */
async function record(
  { database, client }: RecordDatabase,
  ...given: readonly Given[]
): Promise<void> {
  for (const { host = "mx1", jail = "dovecot", recordedAt, ...failure } of given) {
    position += 1;
    const clock = new Date(recordedAt ?? failure.at ?? TODAY).toISOString();
    await client.query(`ALTER TABLE failure ALTER recorded_at SET DEFAULT '${clock}'`);
    const place = { source: "log", epoch: "e1", sentAt: TODAY, from: position - 1, to: position };
    const whole = {
      ...{ position, address: addressOf("198.51.100.7"), at: TODAY, attempts: 1, form: "login" },
      ...failure,
    };
    const batch = { v: 1 as const, host, jail, ...place, failures: [whole] };
    await database.ask((prisma) => recordFailures(prisma, [batch], createWhereabouts(undefined)));
  }
}

const banOf = (given: Partial<Ban>): Ban => ({
  ...{ v: 1, change: randomUUID(), jail: "dovecot", address: addressOf("198.51.100.7") },
  ...{ state: "active", startsAt: TODAY, until: null, changedAt: TODAY, reason: "because" },
  ...{ offence: 1, evidence: [{ host: "mx1", failures: 5 }], by: "decider" },
  ...{ immuneUntil: null, countedUntil: TODAY, ...given },
});

const seriesOf = ({ database }: RecordDatabase, query: SeriesQuery) =>
  database.ask((prisma) => findSeries(prisma, query));

/** The steps that are not 0, by their place. */
const filled = (counts: readonly number[] | null) =>
  Object.fromEntries((counts ?? []).flatMap((count, place) => (count ? [[place, count]] : [])));

test("a series has a number for each step, also where nothing has failed", async () => {
  await using found = await openRecord();
  const begin = TODAY + 8 * HOUR_MS;
  await record(
    found,
    { at: begin, attempts: 2, user: "alice@Example.org" },
    { at: begin + 61_000, attempts: 3, host: "mx2", address: addressOf("2001:db8::1") },
    { at: begin + HOUR_MS, attempts: 4, jail: "other", address: addressOf("198.51.100.9") },
    { at: begin + HOUR_MS + 60_000, attempts: 100 },
  );
  const period = { since: begin + 30_000, until: begin + HOUR_MS };
  const all = await seriesOf(found, period);
  assert.equal(all.since, begin, "the first step begins at or before the period");
  assert.equal(all.stepSeconds, 60);
  assert.equal(all.attempts.length, 61);
  assert.deepEqual(filled(all.attempts), { 0: 2, 1: 3, 60: 4 });

  const expected: [Partial<SeriesQuery>, { [place: number]: number }][] = [
    [{ host: "mx2" }, { 1: 3 }],
    [{ user: "alice@Example.org" }, { 0: 2 }],
    [{ domain: "EXAMPLE.org" }, { 0: 2 }],
    [{ jail: "other" }, { 60: 4 }],
    [{ address: addressOf("198.51.100.0/24") }, { 0: 2, 60: 4 }],
    [{ address: addressOf("2001:db8::1"), jail: "other" }, {}],
  ];
  for (const [filter, attempts] of expected) {
    const some = await seriesOf(found, { ...period, ...filter });
    assert.deepEqual(filled(some.attempts), attempts, JSON.stringify(filter));
  }
});

test("a ban is in the step in which it begins, once", async () => {
  await using found = await openRecord();
  const begin = TODAY + 8 * HOUR_MS;
  const at = (minutes: number) => begin + minutes * 60_000;
  const other = { address: addressOf("198.51.100.9"), jail: "other" };
  const changes = [
    banOf({ startsAt: at(1), changedAt: at(1) }),
    banOf({ startsAt: at(1), changedAt: at(2), reason: "longer" }),
    banOf({ startsAt: at(1), changedAt: at(3), state: "lifted", immuneUntil: at(9) }),
    banOf({ startsAt: at(5), changedAt: at(5) }),
    banOf({ ...other, startsAt: at(1), changedAt: at(1), state: "held", held: "too many" }),
    banOf({ ...other, startsAt: at(7), changedAt: at(7) }),
  ];
  await found.database.ask((prisma) =>
    insertBanChanges(
      prisma,
      changes.map((ban, revision) => ({ ban, revision })),
    ),
  );
  const period = { since: begin, until: at(10) };
  const bansOf = async (filter: Partial<SeriesQuery>) =>
    (await seriesOf(found, { ...period, ...filter })).bans;
  assert.deepEqual(filled(await bansOf({})), { 1: 1, 5: 1, 7: 1 });
  assert.deepEqual(filled(await bansOf({ jail: "other" })), { 7: 1 });
  assert.deepEqual(filled(await bansOf({ address: addressOf("198.51.100.7") })), { 1: 1, 5: 1 });
  assert.equal(await bansOf({ user: "alice" }), null);
  assert.equal(await bansOf({ domain: "example.org" }), null);
  assert.equal(await bansOf({ host: "mx1" }), null);
});

test("a series of a year adds up counted days and what is not counted yet", async () => {
  await using found = await openRecord();
  const days = (count: number) => TODAY + count * DAY_MS;
  await keepRecord(found.client, KEPT, new Date(days(-3)));
  await record(found, { at: days(-3), attempts: 2, user: "alice" });
  await record(found, { at: days(-2) + HOUR_MS, attempts: 3, user: "alice", host: "mx2" });
  await keepRecord(found.client, KEPT, new Date(days(-1) + HOUR_MS));
  await record(found, { at: days(-2) + 2 * HOUR_MS, attempts: 4, recordedAt: TODAY });
  await record(found, { at: TODAY, attempts: 5, user: "alice" });
  const { rows } = await found.client.query("SELECT 1 FROM failure_count WHERE kind = 'user'");
  assert.equal(rows.length, 2, "two days are counted");

  const year = { since: days(-364), until: TODAY + 1 };
  const last = async (filter: Partial<SeriesQuery>) => {
    const { attempts, stepSeconds, since } = await seriesOf(found, { ...year, ...filter });
    assert.equal(since % DAY_MS, 0);
    const daysOfStep = stepSeconds / 86_400;
    assert.equal(
      attempts.length,
      Math.floor(days(0) / DAY_MS / daysOfStep) - since / DAY_MS / daysOfStep + 1,
    );
    return attempts.reduce((sum, count) => sum + count, 0);
  };
  assert.equal(await last({}), 14);
  assert.equal(await last({ user: "alice" }), 10);
  assert.equal(await last({ host: "mx2" }), 3);
  assert.equal(await last({ user: "alice", host: "mx2" }), 3);

  const month = await seriesOf(found, { since: days(-299), until: TODAY + 1 });
  assert.equal(month.stepSeconds, 86_400);
  assert.deepEqual(month.attempts.slice(-4), [2, 7, 0, 5]);
});

test("the steps of any period are few, and hold all of it", async () => {
  await using found = await openRecord();
  const instants = ["0001-01-01", "1970-01-01", "2025-12-31", "2026-11-30", "9999-12-31"];
  const all = instants.map((text) => Date.parse(text)).concat(TODAY + 5 * HOUR_MS);
  for (const since of all) {
    for (const until of all.filter((each) => each >= since)) {
      const { attempts, ...series } = await seriesOf(found, { since, until });
      const end = series.since + attempts.length * series.stepSeconds * 1000;
      assert.ok(attempts.length > 0 && attempts.length <= 400, String(attempts.length));
      assert.ok(series.since <= Math.max(since, 0), "begins in time");
      assert.ok(end > until, "ends in time");
    }
  }
});

test("an account shows who attacks it, from where, and on which hosts", async () => {
  await using found = await openRecord();
  const at = (minutes: number) => TODAY + minutes * 60_000;
  const [first, second] = [addressOf("198.51.100.7"), addressOf("2001:db8::1")];
  await record(
    found,
    { user: "alice", at: at(1), address: addressOf("198.51.100.7"), attempts: 2 },
    { user: "alice", at: at(3), address: addressOf("198.51.100.7"), host: "mx2" },
    { user: "alice", at: at(2), address: addressOf("2001:db8::1"), attempts: 9, host: "mx2" },
    { user: "Alice", at: at(2), attempts: 50 },
    { user: "alice", at: at(99), attempts: 50 },
  );
  const ask = (user: string, limit: number) =>
    found.database.ask((prisma) =>
      findAccount(prisma, { user, since: at(0), until: at(10), limit }),
    );
  assert.deepEqual(await ask("alice", 10), {
    ...{ attempts: 12, firstAt: at(1), lastAt: at(3), addressCount: 2 },
    addresses: [
      { address: second, attempts: 9, firstAt: at(2), lastAt: at(2) },
      { address: first, attempts: 3, firstAt: at(1), lastAt: at(3) },
    ],
    hosts: [
      { name: "mx2", attempts: 10 },
      { name: "mx1", attempts: 2 },
    ],
  });
  const one = await ask("alice", 1);
  assert.deepEqual([one.addresses.length, one.hosts.length, one.addressCount], [1, 1, 2]);
  assert.deepEqual(await ask("nobody", 10), {
    ...{ attempts: 0, firstAt: null, lastAt: null, addresses: [], addressCount: 0, hosts: [] },
  });
});

/** What a replay hands out: the user names and the times. */
async function replayed({ database }: RecordDatabase, query: Partial<ReplayQuery>) {
  const seen: { user: string | undefined; at: number; host: string }[] = [];
  const result = await replayFailures(database, {
    ...{ jail: "dovecot", since: TODAY, until: TODAY + DAY_MS, most: 100_000 },
    isTimeOver: () => false,
    onFailure: (host, { user, at }) => seen.push({ user, at, host }),
    ...query,
  });
  return { ...result, seen };
}

test("failures are replayed in the order of their time, each once, whatever their names", async () => {
  await using found = await openRecord();
  const names = ["a\nb", '"],[', "\u2028", "\\", "{", "'; --"];
  await record(
    found,
    { at: TODAY + 2, user: "late" },
    ...names.map((user) => ({ at: TODAY + 1, user, address: addressOf("2001:db8::1") })),
    { at: TODAY + 1, attempts: 3, host: "mx2" },
    { at: TODAY + 1, user: "elsewhere", jail: "other" },
    { at: TODAY - 1, user: "before" },
  );
  const { seen, ...rest } = await replayed(found, {});
  assert.deepEqual(
    seen.map(({ user }) => user),
    [...names, undefined, "late"],
  );
  const period = { since: TODAY, until: TODAY + DAY_MS };
  assert.deepEqual(rest, { ...period, isWhole: true, attempts: names.length + 4 });
});

test("of more failures than a replay looks at, it takes the newest, and says from when", async () => {
  await using found = await openRecord();
  const count = 4_500; // more than two parts
  await found.client.query(
    `INSERT INTO failure (host, jail, address, at, attempts, form)
     SELECT 'mx1', 'dovecot', '198.51.100.7', $1::timestamptz + (number / 3) * interval '1 ms', 1, 'x'
     FROM generate_series(0, $2::int - 1) AS number`,
    [new Date(TODAY), count],
  );
  const all = await replayed(found, {});
  assert.deepEqual([all.seen.length, all.isWhole], [count, true]);
  assert.deepEqual(
    all.seen,
    all.seen.toSorted((a, b) => a.at - b.at),
  );

  const newest = await replayed(found, { most: 300 });
  assert.deepEqual([newest.seen.length, newest.isWhole], [300, false]);
  assert.equal(newest.since, TODAY + 1_400);
  assert.equal(newest.seen[0]?.at, newest.since);
  assert.equal((await replayed(found, { most: count })).isWhole, true);

  const hurried = await replayed(found, { isTimeOver: () => true });
  assert.deepEqual([hurried.seen.length, hurried.isWhole], [2_000, false]);
  assert.equal(hurried.until, hurried.seen.at(-1)?.at);
});
