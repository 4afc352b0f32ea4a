import assert from "node:assert/strict";
import { test } from "node:test";
import type { Jail } from "../../../services/wire/settings.ts";
import { allowedSentence } from "../../../services/coordinator/allowed-config.ts";
import { coordinatorConfig, jailsOf } from "../../../services/coordinator/coordinator-config.ts";

const faultsOf = (config: unknown) =>
  coordinatorConfig
    .safeParse(config)
    .error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("an allowlist that spares everybody is refused", () => {
  assert.equal(faultsOf({ allowlist: ["192.0.2.0/24", "2001:db8::/32"] }), undefined);
  assert.deepEqual(faultsOf({ allowlist: ["192.0.2.1", "0.0.0.0/0"] }), [
    "allowlist.1: is everybody, nobody would be banned any more",
  ]);
});

test("an entry of the allowlist may have a jail, a label, a comment and an end", () => {
  const { allowlist } = coordinatorConfig.parse({
    jails: { dovecot: {}, edge: {} },
    allowlist: [
      "192.0.2.1",
      { address: "198.51.100.0/24", jail: "edge", label: "office", comment: "the branch" },
      { address: "MX.example.org.", until: "2026-12-24T12:00+01:00" },
      { address: "2001:DB8::1", until: "2026-12-24" },
    ],
  });
  assert.deepEqual(allowlist, [
    { address: "192.0.2.1" },
    { address: "198.51.100.0/24", jail: "edge", label: "office", comment: "the branch" },
    { name: "mx.example.org", until: Date.UTC(2026, 11, 24, 11) },
    { address: "2001:db8::1", until: Date.UTC(2026, 11, 24) },
  ]);
  assert.deepEqual(
    allowlist.map((entry) => allowedSentence(entry, Date.UTC(2026, 11, 24, 1))),
    [
      "192.0.2.1 is never banned automatically",
      "198.51.100.0/24 is never banned automatically in jail edge (the branch, label office)",
      "an address of mx.example.org is never banned automatically, until 2026-12-24T11:00:00.000Z",
      "2001:db8::1 is spared no more since 2026-12-24T00:00:00.000Z",
    ],
  );
});

test("a faulty entry of the allowlist is refused with what was wrong of it", () => {
  const address = "192.0.2.1";
  assert.deepEqual(
    faultsOf({
      allowlist: [
        { address: "::/0" },
        { jail: "dovecot" },
        { address, labl: "x" },
        { address, for: "2h" },
        { address, until: "2026-12-24T12:00" },
        { address, until: "2026-13-01" },
        ["192.0.2.1"],
      ],
    }),
    [
      "allowlist.0.address: is everybody, nobody would be banned any more",
      "allowlist.1.address: expected text, got nothing",
      'allowlist.2: Unrecognized key: "labl"',
      "allowlist.3.for: a file does not say when this time begins, expected until with an instant",
      ...["2026-12-24T12:00", "2026-13-01"].map(
        (given, index) =>
          `allowlist.${index + 4}.until: expected a day such as "2026-12-24" or an instant such as "2026-12-24T12:00Z", got "${given}"`,
      ),
      'allowlist.6: expected text, got ["192.0.2.1"]',
    ],
  );
  assert.deepEqual(faultsOf({ allowlist: [address, { address, jail: "edge" }] }), [
    'allowlist.1.jail: expected one of the jails dovecot, got "edge"',
  ]);
});

test("a database that is not PostgreSQL is refused, and its URL is not told", () => {
  assert.equal(faultsOf({ database: { url: "postgresql:///fleetban?host=/run/x" } }), undefined);
  assert.deepEqual(faultsOf({ database: { url: "mysql://me:secret@x/y" } }), [
    "database.url: expected a URL such as postgresql://me@127.0.0.1/fleetban",
  ]);
});

test("IPv6 addresses are counted by their /64, and a prefix that is too wide is refused", () => {
  const { dovecot } = coordinatorConfig.parse({}).jails;
  assert.deepEqual([dovecot?.ipv4_prefix, dovecot?.ipv6_prefix], [32, 64]);
  const [ipv4, ipv6, ...more] =
    faultsOf({ jails: { dovecot: { ipv4_prefix: 4, ipv6_prefix: 129 } } }) ?? [];
  assert.match(ipv4 ?? "", /^jails\.dovecot\.ipv4_prefix: .*8/);
  assert.match(ipv6 ?? "", /^jails\.dovecot\.ipv6_prefix: .*128/);
  assert.deepEqual(more, []);
});

const jailsOfYaml = (jails: object): Record<string, Jail> =>
  Object.fromEntries(jailsOf(coordinatorConfig.parse({ jails })).map((jail) => [jail.name, jail]));

test("bans that grow have fail2ban's options", () => {
  const plain = jailsOfYaml({ dovecot: {} })["dovecot"];
  assert.equal(plain?.increment, undefined);
  const { dovecot } = jailsOfYaml({
    dovecot: {
      ...{ "bantime.increment": true, "bantime.factor": 2, "bantime.multipliers": "1 5 30" },
      ...{ "bantime.maxtime": "5w", "bantime.rndtime": 60, "bantime.overalljails": true },
    },
  });
  assert.deepEqual(dovecot?.increment, {
    ...{ factor: 2, multipliers: [1, 5, 30], overalljails: true },
    ...{ maxtime: 3_024_000, rndtime: 60 },
  });
  const { sparse } = jailsOfYaml({ sparse: { "bantime.increment": true } });
  assert.deepEqual(sparse?.increment, { factor: 1, multipliers: [], overalljails: false });
});

test("a jail that counts bans has recidive's defaults", () => {
  const { recidive } = jailsOfYaml({ dovecot: {}, recidive: { source: "bans" } });
  assert.deepEqual(recidive, {
    ...{ v: 1, name: "recidive" },
    ...{ source: "bans", ports: [], maxretry: 5, findtime: 86_400, bantime: 604_800 },
  });
});

test("options that contradict each other are refused, all at once", () => {
  assert.deepEqual(
    faultsOf({
      jails: {
        idle: { "bantime.factor": 2, "bantime.maxtime": "5w" },
        ever: { bantime: -1, "bantime.increment": true },
        short: { bantime: "1h", "bantime.increment": true, "bantime.maxtime": "10m" },
        recidive: { source: "bans", ipv6_prefix: 64, failregex: "x <HOST>" },
      },
    }),
    [
      "jails.idle.bantime.factor: has no effect without bantime.increment: true",
      "jails.idle.bantime.maxtime: has no effect without bantime.increment: true",
      "jails.ever.bantime.increment: has no effect: bans are for ever already",
      "jails.short.bantime.maxtime: expected at least bantime, which is 1h, got 10m",
      "jails.recidive.ipv6_prefix: has no effect with source: bans, which takes addresses and networks as banned",
      "jails.recidive.failregex: has no effect with source: bans, which reads no log",
    ],
  );
  assert.deepEqual(faultsOf({ jails: { recidive: { source: "bans" } } }), [
    "jails.recidive.source: expected another jail beside it, whose bans it counts, got none",
  ]);
  const [fault] = faultsOf({ jails: { dovecot: { "bantime.multipliers": "1 two" } } }) ?? [];
  assert.match(fault ?? "", /expected 1 to 100 numbers such as "1 2 4 8", got "1 two"/);
});

test("a network that is banned for its addresses is wider than what they count by", () => {
  const { dovecot } = jailsOfYaml({ dovecot: { network: {} } });
  assert.deepEqual(dovecot?.network, { prefix4: 24, prefix6: 48, addresses: 5, findtime: 3600 });
  assert.deepEqual(
    faultsOf({
      jails: {
        dovecot: { network: { prefix6: 64 } },
        wide: { ipv4_prefix: 24, network: {} },
        recidive: { source: "bans", network: {} },
      },
    }),
    [
      "jails.dovecot.network.prefix6: expected less than 64, the prefix that addresses count by, got 64",
      "jails.wide.network.prefix4: expected less than 24, the prefix that addresses count by, got 24",
      "jails.recidive.network: has no effect with source: bans, which takes addresses and networks as banned",
    ],
  );
});

test("known-good addresses have defaults, and bounds that make sense", () => {
  const { dovecot } = jailsOfYaml({ dovecot: { knownGood: {} } });
  assert.deepEqual(dovecot?.knownGood, { factor: 3, within: 604_800 });
  assert.deepEqual(
    faultsOf({
      jails: {
        dovecot: { knownGood: { factor: 1, within: "5m" } },
        other: { knownGood: { within: "60d" } },
        recidive: { source: "bans", knownGood: {} },
      },
    }),
    [
      "jails.dovecot.knownGood.factor: expected more than 1 and at most 20, got 1",
      "jails.dovecot.knownGood.within: expected 1h to 30d, got 5m",
      "jails.other.knownGood.within: expected 1h to 30d, got 60d",
      "jails.recidive.knownGood: has no effect with source: bans, which reads no log",
    ],
  );
});

test("hosts of a jail are named as in messages, and a quorum has a number", () => {
  const { dovecot } = jailsOfYaml({ dovecot: { hosts: ["mx*", "!mx9.example.org"], minhosts: 2 } });
  assert.deepEqual(dovecot?.hosts, ["mx*", "!mx9-example-org"]);
  assert.deepEqual(faultsOf({ jails: { dovecot: { hosts: ["mx 1"], minhosts: 1 } } }), [
    "jails.dovecot.minhosts: Too small: expected number to be >=2",
    'jails.dovecot.hosts.0: expected a host such as mx1, mx* or "!mx9", got "mx 1"',
  ]);
  assert.deepEqual(faultsOf({ jails: { dovecot: { quorum: "local-first" } } }), [
    "jails.dovecot.quorum: has no effect without minhosts, such as minhosts: 2",
  ]);
});

test("user names are counted in lower case, and fewer of them than failures", () => {
  const { dovecot } = jailsOfYaml({ dovecot: { users: 3, decoys: ["Oracle", " Test@X.org"] } });
  assert.deepEqual([dovecot?.users, dovecot?.decoys], [3, ["oracle", "test@x.org"]]);
  assert.deepEqual(faultsOf({ jails: { dovecot: { users: 5, domains: 7 } } }), [
    "jails.dovecot.users: expected less than maxretry, which is 5, got 5",
    "jails.dovecot.domains: expected less than maxretry, which is 5, got 7",
  ]);
});
