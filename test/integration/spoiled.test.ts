/**
 * Text that no coordinator wrote, on the keys of the buckets. A rooted mail host cannot put it there
 * (rights.test.ts); somebody on the NATS servers can, or a coordinator of another version. It must do no
 * lasting harm.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Kvm, type KV } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { pino } from "pino";
import { openBanStore } from "../../services/coordinator/buckets/ban-store.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { decodeBan } from "../../services/wire/ban.ts";
import { decodeJail } from "../../services/wire/settings.ts";
import { BANS_BUCKET, LEASE_BUCKET, SETTINGS_BUCKET } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";

let fleet: SecuredFleet;
let coordinator: SecuredProgram;
let cli: ReturnType<typeof cliOf>;
let stranger: NatsConnection;
let [bans, settings, lease]: KV[] = [];

before(async () => {
  fleet = await startSecuredFleet();
  const creds = await fleet.credentials("coordinator", "c1");
  cli = cliOf(fleet, await fleet.credentials("operator", "alice"));
  coordinator = await startSecuredCoordinator(fleet, "c1", { creds });
  await eventually("it is ready", () => coordinator.log().includes("coordinator is ready"), 30);
  await eventually("it decides", () => coordinator.log().includes("lease taken"), 30);
  stranger = await fleet.connect(await fleet.credentials("coordinator", "stranger"));
  [bans, settings, lease] = await Promise.all(
    [BANS_BUCKET, SETTINGS_BUCKET, LEASE_BUCKET].map((bucket) => new Kvm(stranger).open(bucket)),
  );
});
after(async () => {
  await coordinator.stop();
  await fleet[Symbol.asyncDispose]();
});

/** What an acknowledgement of NATS looks like, where it does not belong. */
function inject(subject: string): Promise<void> {
  stranger.publish(subject, '{"stream":"FLEETBAN_FAILURES", "seq":1}');
  return stranger.flush();
}

test("a jail that was written over is there again", async () => {
  const key = "jail.dovecot";
  const isJail = async () => decodeJail((await settings!.get(key))!.value, key).maxretry === 5;
  await eventually("the jail is there", isJail);
  const { revision } = (await settings!.get(key))!;
  await inject(`$KV.${SETTINGS_BUCKET}.${key}`);
  await eventually(
    "it is written over",
    async () => (await settings!.get(key))!.revision > revision,
  );
  await eventually("and there again", isJail);
});

test("a ban that was written over is there again", async () => {
  assert.equal((await cli("ban", "add", "198.51.100.7", "--for", "1h")).code, 0);
  const key = "dovecot.198-51-100-7";
  const { revision } = (await bans!.get(key))!;
  await inject(`$KV.${BANS_BUCKET}.${key}`);
  await eventually("it is written over", async () => (await bans!.get(key))!.revision > revision);
  await eventually("and there again", async () => {
    return decodeBan((await bans!.get(key))!.value, key).state === "active";
  });
  assert.equal((await cli("ban", "remove", "198.51.100.7")).code, 0);
});

test("a coordinator that starts does not complain of a ban that was written again before", async () => {
  let logged = "";
  const log = pino({}, { write: (line: string) => void (logged += line) });
  const store = openBanStore({ connection: stranger, log, onBan: () => {} });
  try {
    await store.ready;
    const address = parseAddress("198.51.100.7")!;
    assert.equal(store.get("dovecot", address)?.state, "lifted", "the last state counts");
    assert.deepEqual([store.takeTampered(), logged], [[], ""]);
    const key = "dovecot.198-51-100-70";
    await inject(`$KV.${BANS_BUCKET}.${key}`);
    await eventually("it complains of another one", () => logged.includes(key));
  } finally {
    store.stop();
  }
});

test("a ban that was deleted before its end is there again", async () => {
  assert.equal((await cli("ban", "add", "198.51.100.8", "--for", "1h")).code, 0);
  const key = "dovecot.198-51-100-8";
  await bans!.purge(key);
  await eventually("it is there again", async () => {
    const entry = await bans!.get(key);
    return entry?.operation === "PUT" && decodeBan(entry.value, key).state === "active";
  });
});

test("a lease that was written over is taken again", async () => {
  const { revision } = (await lease!.get("decider"))!;
  await inject(`$KV.${LEASE_BUCKET}.decider`);
  await eventually("it is written over", async () => {
    return (await lease!.get("decider"))!.revision > revision;
  });
  await eventually(
    "and taken again",
    async () => (await lease!.get("decider"))!.string().includes('"c1"'),
    20,
  );
  await eventually("somebody decides", async () => {
    const { stdout } = await cli("status");
    return /^decider +c1/m.test(stdout);
  });
});
