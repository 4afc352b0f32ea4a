/** What each role's credentials allow on a real nats-server: every subject there is, tried. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { decode, encodeAccount, fromSeed, type Account } from "@nats-io/jwt";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { PermissionViolationError, type NatsConnection } from "@nats-io/nats-core";
import { createKnownGood } from "../../services/coordinator/decide/known-good.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { followBucket } from "../../services/nats/follow-bucket.ts";
import { createLog } from "../../services/process/log.ts";
import { api } from "../../services/wire/api.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { encodeLoginDigest } from "../../services/wire/logins.ts";
import {
  BANS_BUCKET,
  LEASE_BUCKET,
  LOGINS_STREAM,
  SETTINGS_BUCKET,
} from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { JAIL } from "../harness/jail.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";

let fleet: SecuredFleet;
let coordinator: NatsConnection;

before(async () => {
  fleet = await startSecuredFleet();
  coordinator = await fleet.connect(await fleet.credentials("coordinator", "c1"));
  await ensureStreams(coordinator, {
    longestFindtime: 1200,
    replicas: 1,
    failuresMaxBytes: 2 ** 26,
  });
});
after(() => fleet[Symbol.asyncDispose]());

const FLEET = [
  "FLEETBAN_FAILURES",
  "KV_fleetban_bans",
  "KV_fleetban_settings",
  "KV_fleetban_lease",
];
const BUCKETS = ["fleetban_bans", "fleetban_settings", "fleetban_lease"];

/** All that can be done to a stream, by JetStream's documentation. */
const ofStream = (stream: string): string[] => [
  ...["INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN"].map(
    (verb) => `$JS.API.STREAM.${verb}.${stream}`,
  ),
  ...["PEER.REMOVE", "MSG.GET", "MSG.DELETE"].map((verb) => `$JS.API.STREAM.${verb}.${stream}`),
  `$JS.API.DIRECT.GET.${stream}`,
  `$JS.API.DIRECT.GET.${stream}.key`,
  ...["CREATE", "LIST", "NAMES"].map((verb) => `$JS.API.CONSUMER.${verb}.${stream}`),
  ...["CREATE", "DURABLE.CREATE", "INFO", "DELETE", "MSG.NEXT", "LEADER.STEPDOWN"].flatMap(
    (verb) => [`$JS.API.CONSUMER.${verb}.${stream}.any`],
  ),
  `$JS.API.CONSUMER.CREATE.${stream}.any.filter.key`,
  `$JS.ACK.${stream}.any.1.1.1.1.0`,
];

const PUBLISHED: readonly string[] = [
  ...[...FLEET, "FLEETBAN_LOGINS", "KV_fleetban_web", "OTHER", "KV_other"].flatMap(ofStream),
  ...["INFO", "STREAM.LIST", "STREAM.NAMES", "STREAM.TEMPLATE.CREATE.x"].map(
    (verb) => `$JS.API.${verb}`,
  ),
  ...["META.LEADER.STEPDOWN", "SERVER.REMOVE", "ACCOUNT.PURGE.x"].map((verb) => `$JS.API.${verb}`),
  "$JS.FC.any",
  ...[...BUCKETS, "fleetban_web", "other"].map((bucket) => `$KV.${bucket}.some.key`),
  ...["mx1", "mx2"].flatMap((host) => [
    `fleetban.failures.dovecot.${host}`,
    `fleetban.failures.other.${host}`,
    `fleetban.status.${host}`,
    `fleetban.logins.${host}`,
    `_INBOX.agent.${host}.reply`,
  ]),
  ...[
    "fleetban.failures.dovecot.mx1.more",
    "fleetban.logins.mx1.more",
    "fleetban.status.mx1.more",
    "fleetban.other",
  ],
  ...Object.keys(api).flatMap((endpoint) =>
    ["alice", "bob", "eve", "eve.support", "mx1", "c1"].map(
      (who) => `fleetban.api.${endpoint}.${who}`,
    ),
  ),
  ...["alice", "bob", "eve"].map((who) => `_INBOX.operator.${who}.reply`),
  ...["_INBOX.coordinator.c1.reply", "_INBOX.reply", "fleetban.api.ban.add", "other"],
  ...["CLAIMS.UPDATE", "CLAIMS.LIST", "SERVER.PING", "ACCOUNT.x.CONNZ"].map(
    (verb) => `$SYS.REQ.${verb}`,
  ),
];

const SUBSCRIBED: readonly string[] = [
  ...[">", "fleetban.>", "fleetban.failures.>", "fleetban.status.*", "fleetban.status.mx1"],
  ...["fleetban.api.>", "$KV.>", "$KV.fleetban_bans.>", "$JS.>", "$JS.API.>", "$SYS.>"],
  ...[
    "_INBOX.>",
    "_INBOX.agent.mx1.>",
    "_INBOX.agent.mx2.>",
    "_INBOX.operator.>",
    "_INBOX.coordinator.>",
  ],
  ...["alice", "bob", "eve"].map((who) => `_INBOX.operator.${who}.>`),
  ...["_INBOX.coordinator.c1.>", "_INBOX.coordinator.c2.>"],
];

/** Those of `subjects` that the server let pass. */
async function allowed(
  connection: NatsConnection,
  operation: "publish" | "subscription",
  subjects: readonly string[],
): Promise<string[]> {
  const refused = new Set<string>();
  const listening = (async () => {
    for await (const status of connection.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      if (status.error.operation === operation) refused.add(status.error.subject);
    }
  })();
  for (const subject of subjects) {
    if (operation === "publish") connection.publish(subject, "{}");
    else connection.subscribe(subject, { callback: () => {} });
    await connection.flush();
  }
  await connection.close();
  await listening;
  return subjects.filter((subject) => !refused.has(subject));
}

const only = (all: readonly string[], expressions: readonly RegExp[]) =>
  all.filter((subject) => expressions.some((expression) => expression.test(subject)));

for (const { role, name, publishes, subscribes } of [
  {
    role: "agent",
    name: "mx1",
    publishes: [
      /^fleetban\.failures\.\w+\.mx1$/,
      /^fleetban\.(?:status|logins)\.mx1$/,
      /^\$JS\.API\.INFO$/,
      /^\$JS\.FC\./,
      /^\$JS\.API\.STREAM\.INFO\.KV_fleetban_(?:bans|settings)$/,
      /^\$JS\.API\.CONSUMER\.CREATE\.KV_fleetban_(?:bans|settings)(?:\.any(?:\.filter\.key)?)?$/,
      /^\$JS\.API\.CONSUMER\.DELETE\.KV_fleetban_(?:bans|settings)\.any$/,
    ],
    subscribes: ["_INBOX.agent.mx1.>"],
  },
  {
    role: "viewer",
    name: "bob",
    publishes: [/^fleetban\.api\.\w+\.(?:list|show|top)\.bob$/, /^fleetban\.api\.web\.login\.bob$/],
    subscribes: ["_INBOX.operator.bob.>"],
  },
  {
    role: "support",
    name: "eve",
    publishes: [
      /^fleetban\.api\.\w+\.(?:list|show|top)\.eve\.support$/,
      /^fleetban\.api\.(?:ban\.remove|allow\.add|web\.login)\.eve\.support$/,
    ],
    subscribes: ["_INBOX.operator.eve.>"],
  },
  {
    role: "operator",
    name: "alice",
    publishes: [/^fleetban\.api\.\w+\.\w+\.alice$/],
    subscribes: ["_INBOX.operator.alice.>"],
  },
  {
    role: "coordinator",
    name: "c2",
    publishes: [
      /^\$JS\.API\.INFO$/,
      /^\$JS\.FC\./,
      /^\$JS\.API\.STREAM\.(?:INFO|CREATE|UPDATE)\.(?:FLEETBAN_FAILURES|FLEETBAN_LOGINS|KV_fleetban_\w+)$/,
      /^\$JS\.API\.STREAM\.MSG\.GET\.KV_fleetban_\w+$/,
      /^\$JS\.API\.CONSUMER\.(?:CREATE|INFO|DELETE|MSG\.NEXT)\.(?:FLEETBAN_FAILURES|FLEETBAN_LOGINS|KV_fleetban_(?:bans|settings|web))\./,
      /^\$KV\.fleetban_\w+\./,
      // What other programs have seen: fleetban failure add.
      /^fleetban\.failures\.\w+\.\w+$/,
      /^_INBOX\.operator\.\w+\.reply$/,
    ],
    subscribes: [
      "_INBOX.coordinator.c2.>",
      "fleetban.api.>",
      "fleetban.status.*",
      "fleetban.status.mx1",
    ],
  },
] as const) {
  test(`the credentials of ${role} ${name} allow what it needs, and nothing more`, async () => {
    const file = await fleet.credentials(role, name);
    const published = await allowed(await fleet.connect(file), "publish", PUBLISHED);
    assert.deepEqual(published, only(PUBLISHED, publishes));
    const subscribed = await allowed(await fleet.connect(file), "subscription", SUBSCRIBED);
    assert.deepEqual(subscribed.sort(), [...subscribes].sort());
  });
}

test("an agent publishes failures with acknowledgement, and follows bans as they are made", async () => {
  const mx3 = await fleet.connect(await fleet.credentials("agent", "mx3"));
  const ack = await jetstream(mx3).publish("fleetban.failures.dovecot.mx3", "{}", { msgID: "1" });
  assert.equal(ack.stream, "FLEETBAN_FAILURES");
  const keys: string[] = [];
  const follower = {
    begin: () => {},
    entry: ({ key }: { key: string }) => void keys.push(key),
    caughtUp: () => {},
  };
  const following = followBucket(
    { connection: mx3, bucket: BANS_BUCKET, log: createLog("test", "silent") },
    follower,
  );
  const bucket = await new Kvm(coordinator).open(BANS_BUCKET);
  await bucket.put("dovecot.198-51-100-7", "{}");
  await eventually("the ban arrives", () => keys.includes("dovecot.198-51-100-7"));
  following.stop();
});

test("logins of a host make an address known good, also with accounts of an older version renewed", async () => {
  for (const account of ["fleet", "hosts"]) await forgetLogins(account);
  await fleet.key(["push"]);
  const mx4 = await fleet.connect(await fleet.credentials("agent", "mx4"));
  const knownGood = createKnownGood({
    ...{ connection: coordinator, replicas: 1, isQuarantined: () => false, now: Date.now },
    log: createLog("test", "silent"),
  });
  await knownGood.follow([{ ...JAIL, knownGood: { factor: 3, within: 3_600 } }]);
  const address = parseAddress("198.51.100.7")!;
  const digest = encodeLoginDigest({ v: 1, host: "mx4", logins: [{ address, ago: 60 }] });
  const forged = encodeLoginDigest({ v: 1, host: "mx5", logins: [{ address, ago: 0 }] });
  await jetstream(mx4).publish("fleetban.logins.mx4", forged);
  const ack = await jetstream(mx4).publish("fleetban.logins.mx4", digest);
  assert.equal(ack.stream, LOGINS_STREAM);
  const [login, ...more] = await eventually("the address is known good", () => {
    const logins = knownGood.loginsOf(address);
    return logins.length > 0 && logins;
  });
  assert.deepEqual([login?.host, more, knownGood.warnings()], ["mx4", [], []]);
  assert.ok(login && Math.abs(Date.now() - 60_000 - login.at) < 30_000);
});

/** As the account was before hosts reported logins. */
async function forgetLogins(account: string): Promise<void> {
  const file = join(fleet.folder, `${account}.jwt`);
  const read = (name: string) => readFile(join(fleet.folder, name), "utf8");
  const { nats, name } = decode<Account>(await read(`${account}.jwt`));
  const isOther = ({ subject }: { subject: string }) => !subject.startsWith("fleetban.logins");
  const older = {
    ...{
      ...nats,
      exports: (nats.exports ?? []).filter(isOther),
      imports: (nats.imports ?? []).filter(isOther),
    },
  };
  const [pair, signer] = [
    fromSeed(Buffer.from((await read(`${account}.seed`)).trim())),
    fromSeed(Buffer.from((await read("operator.seed")).trim())),
  ];
  await writeFile(file, await encodeAccount(name, pair, older, { signer }));
}

test("an agent cannot have NATS's answers sent to where it may not publish itself", async () => {
  const mx6 = await fleet.connect(await fleet.credentials("agent", "mx6"));
  const bucket = await new Kvm(coordinator).open(BANS_BUCKET);
  await bucket.put("dovecot.192-0-2-6", "kept");
  const heard: string[] = [];
  const listen = (subject: string) =>
    coordinator.subscribe(subject, {
      callback: (_error, message) => void heard.push(message.subject),
    });
  listen("fleetban.api.>");
  await coordinator.flush();
  const asked = [
    "fleetban.failures.dovecot.mx6",
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.KV_fleetban_bans",
  ];
  // An acknowledgement is {"stream":...,"seq":N}: to PURGE it says up to where.
  const targets = [
    ...FLEET.flatMap(ofStream),
    ...BUCKETS.map((name) => `$KV.${name}.dovecot.192-0-2-6`),
    ...["fleetban.api.ban.remove.alice", "fleetban.failures.dovecot.mx7", "fleetban.status.mx7"],
  ];
  for (let round = 0; round < 10; round += 1) {
    for (const subject of asked) {
      for (const reply of targets) mx6.publish(subject, "", { reply });
    }
  }
  await mx6.flush();
  // Whatever these have set going is done before this is answered.
  assert.equal(
    (await jetstream(mx6).publish("fleetban.failures.dovecot.mx6", "{}")).duplicate,
    false,
  );
  await coordinator.flush();
  assert.deepEqual(heard, []);
  assert.equal((await bucket.get("dovecot.192-0-2-6"))?.string(), "kept");
  const manager = await jetstreamManager(coordinator);
  for (const name of BUCKETS) {
    const { state } = await manager.streams.info(`KV_${name}`, { subjects_filter: ">" });
    const subjects = Object.keys(state.subjects ?? {}).filter((each) => each.includes("192-0-2-6"));
    assert.deepEqual(subjects, name === BANS_BUCKET ? ["$KV.fleetban_bans.dovecot.192-0-2-6"] : []);
  }
  const { state } = await manager.streams.info("FLEETBAN_FAILURES", { subjects_filter: ">" });
  assert.equal(state.subjects?.["fleetban.failures.dovecot.mx7"], undefined);
});

test("an agent cannot have entries of a bucket delivered to where it may not publish itself", async () => {
  const mx8 = await fleet.connect(await fleet.credentials("agent", "mx8"));
  const settings = await new Kvm(coordinator).open(SETTINGS_BUCKET);
  const key = "allow.192-0-2-8";
  await settings.put(key, "{}");
  const heard: string[] = [];
  const callback = (_error: unknown, message: { subject: string }) =>
    void heard.push(message.subject);
  coordinator.subscribe("fleetban.api.>", { callback });
  coordinator.subscribe("fleetban.status.*", { callback });
  await coordinator.flush();
  const manager = await jetstreamManager(coordinator);
  const sizes = async () => {
    const infos = await Promise.all(FLEET.map((stream) => manager.streams.info(stream)));
    return infos.map(({ state }) => [state.messages, state.last_seq]);
  };
  const before = await sizes();

  const stream = `KV_${SETTINGS_BUCKET}`;
  const deliver = async (to: string) => {
    const filter = { filter_subject: `$KV.${SETTINGS_BUCKET}.${key}`, deliver_subject: to };
    const config = { deliver_policy: "last_per_subject", ack_policy: "none", ...filter };
    const body = JSON.stringify({ stream_name: stream, config });
    await mx8.request(`$JS.API.CONSUMER.CREATE.${stream}`, body);
  };
  for (const target of [
    ...FLEET.flatMap((each) => [`$JS.API.STREAM.PURGE.${each}`, `$JS.API.STREAM.DELETE.${each}`]),
    ...[`$KV.${BANS_BUCKET}.dovecot.192-0-2-8`, `$KV.${LEASE_BUCKET}.decider`],
    ...["fleetban.api.allow.remove.alice", "fleetban.status.mx9"],
    "fleetban.failures.dovecot.mx9",
  ]) {
    await deliver(target);
  }
  // What is delivered to its own inbox shows that all before has been, if it could be.
  let arrived = 0;
  mx8.subscribe("_INBOX.agent.mx8.own", { callback: () => void (arrived += 1) });
  await mx8.flush();
  await deliver("_INBOX.agent.mx8.own");
  await eventually("its own is delivered", () => arrived === 1);
  assert.deepEqual(await sizes(), before);
  await coordinator.flush();
  assert.deepEqual(heard, []);
});

test("an agent may not send more, or listen to more, than its work takes", async () => {
  const mx5 = await fleet.connect(await fleet.credentials("agent", "mx5"));
  assert.equal(mx5.info?.max_payload, 1_048_576);
  for (let index = 0; index < 70; index += 1) {
    mx5.subscribe(`_INBOX.agent.mx5.${index}`, { callback: () => {} });
  }
  await eventually("it is cut off", () => mx5.isClosed() || fleet.server.log().includes("maximum"));
});
