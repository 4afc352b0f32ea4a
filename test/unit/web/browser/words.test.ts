import assert from "node:assert/strict";
import { test } from "node:test";
import { may } from "../../../../services/web/browser/commands/may.ts";
import {
  describeReach,
  faultsOf,
  kindOf,
} from "../../../../services/web/browser/text/ban-words.ts";
import {
  formatDuration,
  formatMs,
  parseDuration,
} from "../../../../services/web/browser/text/durations.ts";
import {
  formatDay,
  formatRelative,
  formatUtc,
} from "../../../../services/web/browser/text/instants.ts";
import { itemsOf } from "../../../../services/web/browser/text/news-items.ts";
import {
  formatBytes,
  formatNumber,
  formatShare,
} from "../../../../services/web/browser/text/numbers.ts";
import {
  groupWarnings,
  hostOfWarning,
  textOfWarning,
  verdictOf,
} from "../../../../services/web/browser/text/verdict.ts";
import type { Ban, News, Reach, Status } from "../../../../services/web/browser/api/messages.ts";

const NOW = Date.parse("2026-11-30T12:00:00.000Z");

const BAN: Ban = {
  v: 1,
  change: "00000000-0000-4000-8000-000000000001",
  jail: "dovecot",
  address: "198.51.100.7",
  state: "active",
  startsAt: "2026-11-30T11:50:00.000Z",
  until: "2026-11-30T12:10:00.000Z",
  changedAt: "2026-11-30T11:50:00.000Z",
  reason: "5 failures",
  offence: 1,
  evidence: [],
  by: "decider",
  immuneUntil: null,
  countedUntil: null,
};

test("a ban is what its state and its end make of it", () => {
  assert.equal(kindOf(BAN, NOW), "in-force");
  assert.equal(kindOf({ ...BAN, until: null }, NOW), "in-force");
  assert.equal(kindOf({ ...BAN, until: "2026-11-30T11:59:00.000Z" }, NOW), "expired");
  assert.equal(kindOf({ ...BAN, held: "too many" }, NOW), "in-part");
  assert.equal(kindOf({ ...BAN, state: "held", held: "too many" }, NOW), "held");
  const spared = { state: "active", by: "operator alice", reason: "office" } as const;
  assert.equal(kindOf({ ...BAN, state: "lifted", spared }, NOW), "spared");
  assert.equal(kindOf({ ...BAN, state: "lifted" }, NOW), "lifted");
});

const REACH: Reach = {
  inForce: ["mx1"],
  missing: ["mx2"],
  dryRun: [],
  ineffective: [],
  refused: [],
  applied: [{ host: "mx1", ms: 9 }],
  down: ["mx3"],
  counts: {
    ...{ live: 2, inForce: 1, missing: 1, dryRun: 0, ineffective: 0, refused: 0 },
    applied: 1,
    down: 1,
  },
  slowestMs: 9.2,
};

test("how far a change has come is told with what is missing", () => {
  assert.equal(describeReach(REACH, "in force"), "in force on 1/2 hosts after 9 ms");
  assert.deepEqual(faultsOf(REACH), [
    "no report yet from mx2",
    "silent, follows when it is back: mx3",
  ]);
});

const STATUS: Status = {
  version: "0.1.0",
  coordinator: "centre1",
  decider: "centre1",
  startedAt: "2026-11-30T00:00:00.000Z",
  hosts: { up: 3, down: 0, current: 3 },
  bans: 12,
  heldBans: 0,
  allowed: 1,
  jails: [],
  failures: 100,
  undecodable: 0,
  postgres: { reachable: true, lag: 0 },
  warnings: [],
  warningCounts: { high: 0, medium: 0, low: 0 },
  jailCount: 1,
};

test("the first sentence says whether somebody has to do something", () => {
  assert.equal(verdictOf(STATUS).sentence, "All is well: 12 bans are in force on 3 hosts.");
  const grave = { ...STATUS, warningCounts: { high: 2, medium: 1, low: 4 } };
  assert.deepEqual(
    [verdictOf(grave).level, verdictOf(grave).sentence],
    ["act", "3 things need you now."],
  );
  assert.equal(
    verdictOf({ ...STATUS, heldBans: 4 }).sentence,
    "One thing needs you, none of them at once.",
  );
  assert.equal(verdictOf({ ...STATUS, decider: null }).level, "act");
  assert.equal(verdictOf({ ...STATUS, hosts: { up: 0, down: 0, current: 0 } }).level, "empty");
  const awaited = verdictOf({ ...STATUS, hosts: { up: 0, down: 0, current: 0, awaited: 2 } });
  assert.deepEqual(
    [awaited.level, awaited.sentence],
    ["look", "2 hosts were not heard yet: the coordinator has just started."],
  );
});

test("a warning of a host is told apart from its host", () => {
  const warning = { code: "host-down", severity: "high", text: "host mx1: it is silent" } as const;
  assert.equal(hostOfWarning(warning), "mx1");
  assert.equal(textOfWarning(warning), "it is silent");
  assert.equal(hostOfWarning({ ...warning, text: "NATS stores nothing" }), undefined);
});

test("many events become a few lines and a number", () => {
  const failure = (index: number): News["failures"][number] => ({
    at: `2026-11-30T12:00:0${index % 10}.000Z`,
    ...{ host: "mx1", jail: "dovecot", address: "198.51.100.7", attempts: 1 },
    ...{ user: null, service: null },
  });
  const news: News = {
    failures: Array.from({ length: 20 }, (_, index) => failure(index)),
    attempts: 320,
    bans: [BAN],
    banCount: 2,
    ...{ hosts: [], hostCount: 0, places: { failures: 7, bans: 3 } },
  };
  const items = itemsOf(news);
  assert.equal(items.length, 11);
  assert.deepEqual(items.at(-1), {
    ...{ kind: "more", key: "7-3-m", at: items.at(-2)?.at, events: 312 },
  });
});

test("support may help one customer for some days, and do nothing wide", () => {
  assert.equal(may("support", "unban", "198.51.100.7"), true);
  assert.equal(may("support", "unban", "198.51.100.0/24"), false);
  assert.equal(may("support", "allow", "2001:db8::/64"), true);
  assert.equal(may("support", "allow", "2001:db8::/48"), false);
  assert.equal(may("support", "ban", "198.51.100.7"), false);
  assert.equal(may("viewer", "unban", "198.51.100.7"), false);
  assert.equal(may("operator", "quarantine"), true);
});

test("durations, times and numbers are spelled for people", () => {
  assert.equal(parseDuration("1d 12h"), 129_600);
  assert.equal(parseDuration("90m"), 5400);
  assert.equal(parseDuration("soon"), undefined);
  assert.equal(formatDuration(null), "for ever");
  assert.equal(formatDuration(90_061), "1d 1h");
  assert.equal(formatMs(0.4), "0.4 ms");
  assert.equal(formatMs(9.2), "9 ms");
  assert.equal(formatRelative(NOW + 61_000, NOW), "in 1m");
  assert.equal(formatRelative(NOW - 5_000, NOW), "5s ago");
  assert.equal(formatUtc(NOW), "2026-11-30 12:00:00.000 UTC");
  assert.equal(formatBytes(9_920), "9.9 kB");
  assert.equal(formatDay(NOW), "30 Nov");
  assert.equal(formatShare(1, 2), "50 %");
  assert.equal(formatShare(4, 1000), "0.4 %");
  assert.equal(formatShare(1, 10_000), "< 0.1 %");
  assert.equal(formatNumber(10.44), "10.4");
  assert.equal(formatNumber(3401.8), "3,402");
});

test("warnings of one kind are one, and the gravest come first", () => {
  const of = (code: string, host: string) =>
    ({ code, severity: "high", text: `host ${host}: held` }) as const;
  const groups = groupWarnings([of("a", "mx1"), of("b", "mx2"), of("a", "mx3")]);
  assert.deepEqual(
    groups.map(({ first, others }) => [first.text, others.length]),
    [
      ["host mx1: held", 1],
      ["host mx2: held", 0],
    ],
  );
});
