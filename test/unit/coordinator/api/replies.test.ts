/**
 * Every reply fits into one message of NATS, however large the fleet is: 10,000 hosts, 1,000,000
 * bans, and the longest texts that the wire carries, of characters that JSON spells with six bytes.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import * as z from "zod";
import { endpointsOf } from "../../../../services/coordinator/api/endpoints.ts";
import type { ApiContext } from "../../../../services/coordinator/api/api-context.ts";
import { coordinatorConfig } from "../../../../services/coordinator/coordinator-config.ts";
import { EVENT_TYPES } from "../../../../services/coordinator/notify/event.ts";
import {
  FleetStatus,
  type FleetParts,
} from "../../../../services/coordinator/hosts/fleet-status.ts";
import type { Host } from "../../../../services/coordinator/hosts/hosts.ts";
import type { AllowedPlace } from "../../../../services/policy/allowlist.ts";
import { createLog } from "../../../../services/process/log.ts";
import { type Address, parseNetwork } from "../../../../services/wire/address.ts";
import { api, MAX_STEPS, type Endpoint, type Request } from "../../../../services/wire/api.ts";
import { BanCensus } from "../../../../services/coordinator/buckets/ban-census.ts";
import { SortedList } from "../../../../services/coordinator/buckets/sorted-list.ts";
import { ban as banSchema, isInForce, type Ban } from "../../../../services/wire/ban.ts";
import { MAX_MESSAGE_BYTES } from "../../../../services/wire/codec.ts";
import {
  allowed as allowedSchema,
  jail as jailSchema,
} from "../../../../services/wire/settings.ts";
import { hostStatus, type HostStatus } from "../../../../services/wire/status.ts";
import { banKey } from "../../../../services/wire/subjects.ts";

const HOSTS = 10_000;
const BANS = 1_000_000;
const NOW = Date.UTC(2026, 10, 24);

const longText = (length: number) => "\u0001".repeat(length);
const longName = (index: number, length = 63) => `h${String(index).padStart(length - 1, "0")}`;
const many = <T>(length: number, make: (index: number) => T) =>
  Array.from({ length }, (_, index) => make(index));
/** As long as an address can be spelled: different ones of the same length. */
const longAddress = (index: number) =>
  parseNetwork(`2001:db8:ffff:ffff:ffff:ffff:ffff:${(0x1000 + index).toString(16)}`)!;

const LONGEST_BAN: Omit<Ban, "address"> = {
  v: 1,
  change: randomUUID(),
  jail: "jail-of-16-chars",
  state: "active",
  startsAt: NOW,
  until: NOW + 1e9,
  changedAt: NOW,
  reason: longText(256),
  offence: Number.MAX_SAFE_INTEGER,
  evidence: many(100, (index) => ({ host: longName(index), failures: Number.MAX_SAFE_INTEGER })),
  by: longText(256),
  immuneUntil: NOW,
  countedUntil: NOW,
  held: longText(256),
  policyVersion: "0123abcd",
};

const LONGEST_STATUS: Omit<HostStatus, "host"> = {
  v: 1,
  instance: randomUUID(),
  version: longText(32),
  startedAt: NOW,
  sentAt: NOW,
  firewall: longText(32),
  revision: 1,
  bansCreated: longText(64),
  bansInForce: Number.MAX_SAFE_INTEGER,
  addresses: many(256, longAddress),
  sources: many(64, (index) => ({
    name: longName(index),
    // The first one is there, for a drill.
    jail: index === 0 ? longName(1, 16) : longText(16),
    state: "waiting" as const,
    lines: Number.MAX_SAFE_INTEGER,
    failures: Number.MAX_SAFE_INTEGER,
    lag: Number.MAX_SAFE_INTEGER,
    lastLineAt: NOW,
  })),
  refused: many(20, () => ({ address: parseNetwork("10.0.0.1")!, reason: longText(256) })),
  repairs: Number.MAX_SAFE_INTEGER,
  warnings: many(20, () => ({
    code: longText(64),
    severity: "high" as const,
    text: longText(500),
    subject: longText(64),
  })),
};

const LOGINS = many(10_000, (index) => ({ host: longName(index), at: NOW }));
const MACHINE = { address: longAddress(1), what: longText(256) };

const ENTRY = {
  v: 1,
  comment: longText(256),
  by: longText(256),
  origin: "operator",
} as const;

/** More than a jail has options. */
const JAIL_SETTINGS = many(60, (index) => ({
  ...{ v: 1 as const, jail: longName(1, 16), option: `option${index}`, value: longText(1_000) },
  ...{ by: longText(256), at: NOW, until: NOW },
}));
const PAUSE = {
  ...{ v: 1 as const, by: longText(256), reason: longText(256), at: NOW },
  periods: [{ from: NOW, until: null }],
};
const QUARANTINE = { v: 1, since: NOW, until: null, by: longText(256), reason: longText(256) };

/** Everything that answers are made from, as large as it may be, but for the status of each host. */
function largestFleet(
  status: Omit<HostStatus, "host"> = LONGEST_STATUS,
  others: Partial<FleetParts> = {},
  hostNamed: (index: number) => string = longName,
): ApiContext {
  const { warnings } = status;
  const hosts = many(HOSTS, (index): Host => {
    return { seenAt: NOW, status: { ...status, host: hostNamed(index) } };
  });
  const hostsByName = new Map(hosts.map((host) => [host.status.host, host]));
  const allowlist = many(HOSTS, (index) => {
    const jail = index > 0 ? { jail: longName(index, 16) } : {};
    return { ...ENTRY, ...jail, address: longAddress(index), addedAt: NOW };
  });
  const jails = many(1_000, (index) => ({
    v: 1 as const,
    name: longName(index, 16),
    ports: many(64, (port) => 65_000 + port),
    maxretry: 100,
    findtime: 1e15,
    bantime: 1e15,
  }));
  const [inside, outside] = ["10.0.0.1", "192.0.2.1"].map((text): Ban => {
    return { ...LONGEST_BAN, address: parseNetwork(text)! };
  });
  /** 10,000 of them are in the network that is asked for. */
  const banOf = (index: number): Ban => (index % 100 === 0 ? inside! : outside!);
  const sortedKeys = new SortedList<string>((a, b) => a < b);
  for (let index = 0; index < 10_000; index += 1) sortedKeys.add(`jail-of-16-chars.${index}`);
  function* entries() {
    for (let index = 0; index < BANS; index += 1) {
      yield { key: `jail-of-16-chars.${index}`, ban: banOf(index), revision: index };
    }
  }
  const parts = {
    bans: {
      entries,
      entriesAt: entries,
      *entriesBehind(after: string | null) {
        for (const key of [...sortedKeys.behind(after ?? undefined)].flat()) {
          yield { key, ban: banOf(1), revision: 1 };
        }
      },
      countDue: () => [{ state: "active" as const, jail: LONGEST_BAN.jail, count: BANS }],
      change: (name: string, address: Ban["address"], step: (ban: Ban) => Ban | undefined) => {
        const ban = step({ ...LONGEST_BAN, jail: name, address });
        return Promise.resolve(ban && { ban, revision: 1 });
      },
      get: () => banOf(1),
      countInForce: () => BANS,
      held: () => many(1_000, (index) => ({ ...banOf(index), state: "held" as const })),
      revision: () => 1,
      created: () => null,
    },
    settings: {
      write: () => Promise.resolve(),
      erase: () => Promise.resolve(),
      allowlist: {
        list: () => allowlist,
        find: () => undefined,
        findAll: () => allowlist.slice(0, 1_001),
        get: ({ address }: AllowedPlace) => allowlist.find((entry) => entry.address === address),
      },
      allow: () => Promise.resolve(),
      eraseBy: () => Promise.resolve(),
      disallow: () => Promise.resolve(),
      readyFor: () => "another",
    },
    hosts: {
      list: () => hosts,
      get: (name: string) => hostsByName.get(name),
      isUp: () => true,
      aheadMs: () => 9e14,
      appliedAt: () => ({ state: "applied", at: NOW, isExact: false }),
      untilApplied: () =>
        Promise.resolve({
          applied: hosts.map(({ status: { host } }) => ({ host, ms: 1 / 3 })),
          missing: hosts.map(({ status: { host } }) => host),
          down: hosts.map(({ status: { host } }) => host),
        }),
      refused: () => {
        const duplicateAgents = warnings.length === 0 ? [] : hosts;
        return new Map(duplicateAgents.map((host) => [host.status.host, [host, host]]));
      },
      forget: () => undefined,
    },
    history: {
      reachable: () => false,
      stalled: () => longText(9_000),
      lag: () => Promise.resolve(1e9),
      hosts: () => Promise.resolve(many(HOSTS, (at) => ({ host: hostNamed(at), lastSeenAt: NOW }))),
      forgetHost: () => Promise.resolve(true),
      bans: ({ limit }: { limit: number }) =>
        Promise.resolve(
          many(limit, (index) => ({ row: banOf(index), mark: `${NOW}/${randomUUID()}` })),
        ),
      changes: ({ limit }: { limit: number }) => Promise.resolve(many(limit, banOf)),
      audit: ({ limit, after }: { limit: number; after: string | null }) =>
        Promise.resolve(
          many(limit, (index) => ({
            row: { at: NOW, by: longText(256), action: longText(32), detail: longText(600) },
            mark: `${NOW}/${Number(after?.split("/")[1] ?? 0) + index + 1}`,
          })),
        ),
      failures: ({ limit, after }: { limit: number; after: string | null }) =>
        Promise.resolve(
          many(limit, (index) => ({
            row: {
              at: NOW,
              host: longName(index),
              jail: "jail-of-16-chars",
              address: longAddress(index),
              attempts: 1_000,
              user: longText(256),
              service: longText(32),
              session: longText(64),
              form: longText(64),
            },
            mark: `${NOW}/${Number(after?.split("/")[1] ?? 9e15) - 1 - index}`,
          })),
        ),
      topFailures: ({ limit }: { limit: number }) =>
        Promise.resolve({
          rows: many(limit, () => ({ name: longText(256), attempts: 9e15 })),
          attempts: 9e15,
        }),
      series: () =>
        Promise.resolve({
          ...{ since: NOW, stepSeconds: Number.MAX_SAFE_INTEGER },
          ...{ attempts: many(MAX_STEPS, () => 9e15), bans: many(MAX_STEPS, () => 9e15) },
        }),
      account: ({ limit }: { limit: number }) =>
        Promise.resolve({
          ...{ attempts: 9e15, firstAt: NOW, lastAt: NOW, addressCount: 9e15 },
          addresses: many(limit, (index) => ({
            ...{ address: longAddress(index), attempts: 9e15, firstAt: NOW, lastAt: NOW },
          })),
          hosts: many(limit, (index) => ({ name: longName(index), attempts: 9e15 })),
        }),
      replay: () => Promise.resolve({ since: NOW, until: NOW, isWhole: false, attempts: 9e15 }),
      erasable: () =>
        Promise.resolve({ failures: 9e15, oldest: NOW, newest: NOW, banChanges: 9e15 }),
      erase: () => Promise.resolve(9e15),
    },
    machines: {
      find: (address: Address) => (address === ONE ? undefined : MACHINE),
      forgetHost: () => Promise.resolve(),
      hosts: () => new Map(),
    },
    brokenHosts: { forgetHost: () => Promise.resolve() },
    quarantines: { of: (host: string) => (host === longName(2) ? undefined : QUARANTINE) },
    spared: { counts: () => ({ allowlist: 9e15, machines: 9e15 }) },
    names: { warnings: () => warnings },
    sinks: { warnings: () => warnings },
    notifier: {
      sinks: many(32, sinkOf),
      states: { refresh: () => Promise.resolve(), of: stateOf },
    },
    streams: { faults: () => many(100, () => longText(9_000)) },
    feed: {
      after: () => ({
        failures: many(100, (index) => ({
          ...{ at: NOW, host: longName(index), jail: longText(16), address: longAddress(index) },
          ...{ attempts: 1_000, user: longText(256), service: longText(32) },
        })),
        attempts: Number.MAX_SAFE_INTEGER,
        bans: many(100, () => banOf(1)),
        banCount: Number.MAX_SAFE_INTEGER,
        places: { failures: Number.MAX_SAFE_INTEGER, bans: Number.MAX_SAFE_INTEGER },
      }),
    },
    rates: {
      lastHour: () => ({
        ...{ since: NOW, stepSeconds: 10 },
        ...{ failures: many(360, () => 9e15), bans: many(360, () => 9e15) },
      }),
    },
    failuresKnownSince: NOW,
    lookUp: () => ({ country: longText(120), asn: `AS4294967295 ${longText(107)}` }),
    drills: {
      follow: () => ({
        progress: DRILLED,
        until: (read: (progress: object) => unknown) => Promise.resolve(read(DRILLED)),
        end: () => {},
      }),
    },
    metrics: { rows: () => Promise.resolve(many(20_000, metricOf)) },
    lease: { holder: () => longName(1), trouble: () => longText(9_000) },
    clock: { warnings: () => [], hostWarnings: () => warnings },
    expiry: { warnings: () => warnings },
    missed: {
      byHost: () => new Map(),
      total: () => 9e15,
      hostWarnings: () => warnings,
      warnings: () => warnings,
    },
    jails: () => jails,
    policyVersion: () => "0123abcd",
    natsTimes: {
      aheadMs: () => Promise.resolve(-9e14),
      readBan: () => Promise.resolve({ revision: 1, writtenAt: NOW }),
    },
    knownGood: {
      warnings: () => warnings,
      isFollowing: () => true,
      loginsOf: () => LOGINS,
    },
    refused: { warnings: () => warnings },
    unread: { warnings: () => warnings },
    leader: { warnings: () => warnings },
    undecodable: { warnings: () => warnings },
    lateHosts: { warningOf: () => warnings[0] },
    web: { warnings: () => warnings },
    idleSettings: () => [],
    jailSettings: { list: () => JAIL_SETTINGS },
    pauses: { of: () => PAUSE, list: () => jails.map(({ name }) => [name, PAUSE]) },
    reload: {
      reload: () => Promise.resolve(RELOADED),
      apply: () => Promise.resolve(true),
      policy: () => ({ version: "0123abcd", jails }),
      config: () => ({
        dbpurgeage: 1e15,
        jails: { [longName(1, 16)]: coordinatorConfig.parse({}).jails["dovecot"] },
      }),
    },
    id: longName(1),
    version: longText(32),
    startedAt: NOW,
    counters: { failures: { total: 9e15, entries: () => [].values() }, undecodable: 9e15 },
    now: () => NOW,
    newId: randomUUID,
    newChange: () => ({ now: NOW, id: randomUUID() }),
    log: createLog("replies.test", "silent"),
    ...others,
  };
  const context = parts as unknown as Omit<ApiContext, "fleet" | "knownGood"> &
    Pick<
      FleetParts,
      | "names"
      | "sinks"
      | "refused"
      | "unread"
      | "leader"
      | "undecodable"
      | "lateHosts"
      | "web"
      | "idleSettings"
      | "pauses"
      | "knownGood"
    > &
    Pick<ApiContext, "knownGood">;
  return { ...context, fleet: new FleetStatus(context) };
}

const RELOADED = {
  faults: many(9_000, () => longText(9_000)),
  changes: many(1_000, (index) => `jail ${longName(index, 16)} is changed`),
  needRestart: many(8, () => "failuresMaxBytes"),
  isInUse: true,
};
const SINK = longName(0).slice(0, 32);
const sinkOf = (index: number) => ({
  send: () => Promise.resolve({ type: "retry", reason: longText(500) }),
  name: longName(index).slice(0, 32),
  type: "telegram",
  describe: longText(9_000),
  filter: { events: [...EVENT_TYPES] },
});
const FAILING = { tries: 9e15, since: NOW, retryAt: NOW, reason: longText(500) };
const stateOf = () => ({ failing: FAILING, sent: 9e15, lost: 9e15, sentAt: NOW });

const DRILLED = {
  report: { id: randomUUID(), how: longText(256) },
  ...{ attemptedAt: 1, readAt: 1, countedAt: 1 },
  decided: { at: 1, ban: { ...LONGEST_BAN, address: parseNetwork("240.1.2.3")! } },
};

const metricOf = (index: number) => ({
  name: "fleetban_source_unrecognized_lines_total",
  help: longText(256),
  type: "counter",
  labels: { host: longName(index), source: longName(index) },
  value: Number.MAX_SAFE_INTEGER,
});

const WIDE = parseNetwork("10.0.0.0/8")!;
const ONE = parseNetwork("198.51.100.7")!;
const wait = 1;

/** Most of these addresses are machines of the fleet, and left out. */
const ROWS = many(1_000, (index) => ({ address: longAddress(index) }));

/** The requests with the largest replies; a list is read for some pages. */
const MANY = { selection: {}, dryRun: true, reason: longText(256) };
const REQUESTS: { [E in Endpoint]: Request<E> } = {
  "status.show": {},
  "host.list": {},
  "ping.show": {},
  "host.show": { host: longName(1) },
  "host.remove": { host: longName(1) },
  "host.drill": { host: longName(1), wait },
  "jail.list": {},
  "jail.reload": {},
  "jail.set": { jail: longName(1, 16), option: "maxretry", value: "8" },
  "jail.unset": { jail: longName(1, 16) },
  "jail.pause": { jail: longName(1, 16), reason: longText(256) },
  "jail.resume": { jail: longName(1, 16) },
  "jail.show": { jail: longName(1, 16) },
  "ban.list": { all: false, limit: 1_000, after: null },
  "ban.show": { address: WIDE, trace: true },
  "ban.add": { address: ONE, jail: longName(1, 16), reason: "", replace: false, wait },
  "ban.remove": { address: WIDE, reason: longText(256), wait },
  "ban.lift": MANY,
  "ban.release": MANY,
  "ban.discard": MANY,
  "host.quarantine": { host: longName(1), undo: false, reason: longText(256) },
  "allow.list": {},
  "allow.show": { address: WIDE },
  "allow.import": { rows: ROWS, comment: longText(256), dryRun: false },
  "ban.restore": {
    bans: ROWS.map(({ address }) => ({ ...LONGEST_BAN, address })),
    dryRun: false,
  },
  "ban.import": {
    ...{ jail: longName(1, 16), rows: ROWS, reason: longText(256), replace: true },
    ...{ dryRun: false, wait },
  },
  "allow.add": { address: WIDE, comment: longText(256) },
  "allow.remove": { address: longAddress(1), reason: longText(256) },
  "failure.list": { limit: 1_000, after: null },
  "failure.top": { by: "user", since: NOW, limit: 1_000 },
  "failure.erase": { user: longText(256), reason: longText(256), dryRun: false },
  "audit.list": { all: true, limit: 1_000, after: null },
  "metric.list": {},
  "watch.show": {},
  "rate.show": {},
  "series.show": { since: NOW },
  "account.show": { user: longText(256), since: NOW },
  "about.show": { addresses: many(100, longAddress) },
  "simulation.show": { jail: longName(1, 16), days: 90 },
  "failure.add": {
    ...{ addresses: many(400, longAddress), jail: longName(1, 16), host: longName(2) },
    attempts: 1,
  },
  "notify.list": {},
  "notify.test": { sink: SINK },
  "notify.resend": { sink: SINK },
  "web.login": {},
};
const PAGES = 3;

type Answer = (request: object, by: string) => unknown;

function answersOf(context: ApiContext): Record<Endpoint, Answer> {
  const login = {
    web: { createLink: () => Promise.resolve(longText(2_048)) },
    account: () => undefined,
    now: () => NOW,
  };
  const publish = () => Promise.resolve({ stream: "FLEETBAN_FAILURES", seq: 1, duplicate: false });
  return endpointsOf({ context, login, publish }) as unknown as Record<Endpoint, Answer>;
}

async function replyTo(endpoints: Record<Endpoint, Answer>, endpoint: Endpoint, request: object) {
  const schema: z.ZodType = api[endpoint].reply;
  const reply = await endpoints[endpoint](request, longText(256));
  const text = JSON.stringify(z.encode(schema, reply));
  return { reply: reply as Record<string, unknown>, bytes: Buffer.byteLength(text) };
}

test("the longest texts of this test are the longest that the wire takes", () => {
  for (const [schema, value] of [
    [banSchema, { ...LONGEST_BAN, address: ONE }],
    [hostStatus, { ...LONGEST_STATUS, host: longName(1) }],
    [allowedSchema, { ...ENTRY, address: ONE, addedAt: NOW }],
    [jailSchema, largestFleet().jails()[0]],
  ] as const) {
    const encoded = z.encode(schema as z.ZodType, value) as Record<string, unknown>;
    assert.ok(schema.safeParse(encoded).success);
    for (const [name, field] of Object.entries(encoded)) {
      const list: readonly unknown[] | undefined = Array.isArray(field) ? field : undefined;
      if (typeof field !== "string" && !list) continue;
      const longer = list ? [...list, list[0]] : `${String(field)}\u0001`;
      assert.ok(!schema.safeParse({ ...encoded, [name]: longer }).success, name);
    }
  }
});

const largest = answersOf(largestFleet());
for (const endpoint of Object.keys(REQUESTS) as Endpoint[]) {
  test(`${endpoint} answers in one message in the largest fleet`, async () => {
    let after: unknown = null;
    for (let page = 0; page < PAGES; page += 1) {
      const request = after === null ? REQUESTS[endpoint] : { ...REQUESTS[endpoint], after };
      const { reply, bytes } = await replyTo(largest, endpoint, request);
      assert.ok(bytes <= MAX_MESSAGE_BYTES, `${bytes} bytes`);
      assert.notEqual(reply["next"] ?? null, after ?? "", "the list goes on");
      after = reply["next"] ?? null;
      if (after === null) break;
    }
  });
}

test("the record of bans is answered in one message, too", async () => {
  const request = { ...REQUESTS["ban.list"], all: true };
  const { reply, bytes } = await replyTo(largest, "ban.list", request);
  assert.ok(bytes <= MAX_MESSAGE_BYTES, `${bytes} bytes`);
  assert.ok((reply["bans"] as unknown[]).length > 0);
});

test("10,000 hosts are read page by page, each once, in the order of their numbers", async () => {
  const ordinary = { ...LONGEST_STATUS, addresses: [], sources: [], refused: [], warnings: [] };
  const quarantines = { of: () => undefined };
  const hostNamed = (index: number) => `mx${index + 1}`;
  const endpoints = answersOf(largestFleet(ordinary, { quarantines }, hostNamed));
  const seen: string[] = [];
  let after: unknown = null;
  do {
    const { reply } = await replyTo(endpoints, "host.list", after === null ? {} : { after });
    seen.push(...(reply["hosts"] as { host: string }[]).map(({ host }) => host));
    after = reply["next"];
  } while (after !== null);
  assert.deepEqual(seen, many(HOSTS, hostNamed));
});

test("bans in force are listed page by page, each once, in the order of their names", async () => {
  const context = largestFleet();
  const listed = many(2_500, (index) => {
    const address = parseNetwork(`10.0.${index >> 8}.${index & 255}`)!;
    const state = index % 5 === 0 ? ("lifted" as const) : ("active" as const);
    return { ...LONGEST_BAN, evidence: [], address, state };
  });
  const sortedKeys = new SortedList<string>((a, b) => a < b);
  const census = new BanCensus();
  const byKey = new Map(listed.map((ban) => [banKey(ban.jail, ban.address), ban]));
  for (const [key, ban] of byKey) {
    sortedKeys.add(key);
    census.add(ban);
  }
  const bans = {
    ...context.bans,
    *entriesBehind(after: string | null) {
      for (const key of [...sortedKeys.behind(after ?? undefined)].flat()) {
        yield { key, ban: byKey.get(key)!, revision: 1 };
      }
    },
    countDue: (now: number) => census.countDue(now),
  };
  const endpoints = answersOf({ ...context, bans });
  const keys: string[] = [];
  let after: unknown = null;
  do {
    const request = { ...REQUESTS["ban.list"], after };
    const { reply } = await replyTo(endpoints, "ban.list", request);
    assert.equal(reply["total"], 2_000);
    keys.push(...(reply["bans"] as Ban[]).map(({ jail, address }) => banKey(jail, address)));
    after = reply["next"];
  } while (after !== null);
  const expected = listed.filter((ban) => isInForce(ban, NOW));
  assert.deepEqual(keys, expected.map(({ jail, address }) => banKey(jail, address)).sort());
});
