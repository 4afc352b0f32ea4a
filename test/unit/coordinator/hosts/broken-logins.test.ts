import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createBrokenHosts } from "../../../../services/coordinator/hosts/broken-logins.ts";
import { decodeSetting, type Setting } from "../../../../services/wire/settings.ts";
import { LOGINS_WATCHED_MS, type HostStatus } from "../../../../services/wire/status.ts";
import { warn } from "../../../../services/wire/warnings.ts";

const NOW = Date.UTC(2026, 10, 30);
const HORIZON = 2_400_000;
const FAILS = "its passdb is away";
const HELD = "on host mx1 logins fail for a reason of the host's own: its passdb is away";

/** Coordinators on one settings bucket. */
function setUp() {
  const clock = { now: NOW };
  const bucket = new Map<string, Setting>();
  const coordinators: ReturnType<typeof createBrokenHosts>[] = [];
  let writes = 0;
  const change = (key: string, setting: Setting | undefined) => {
    if (setting) bucket.set(key, setting);
    else bucket.delete(key);
    for (const each of coordinators) each.noteSetting(key, setting);
    return Promise.resolve();
  };
  const settings = {
    write(key: string, value: Uint8Array, isSame: (present: Setting) => boolean) {
      const present = bucket.get(key);
      if (present && isSame(present)) return Promise.resolve();
      writes += 1;
      return change(key, decodeSetting(value, key));
    },
    erase: (key: string) => change(key, undefined),
  };
  /** A coordinator that starts now, and has read the bucket. */
  function start() {
    const brokenHosts = createBrokenHosts({ horizon: () => HORIZON, now: () => clock.now });
    for (const [key, setting] of bucket) brokenHosts.noteSetting(key, setting);
    coordinators.push(brokenHosts);
    return brokenHosts;
  }
  /** A status of mx1 from an agent that has been at work for so long. */
  function status(
    reason: string | undefined,
    { instance, atWorkMs }: { instance: string; atWorkMs: number },
  ) {
    const warnings = reason === undefined ? [] : [warn("logins-broken", { reason })];
    const times = { startedAt: clock.now - atWorkMs, sentAt: clock.now };
    return { host: "mx1", instance, ...times, warnings: [...warnings] } as unknown as HostStatus;
  }
  return { clock, bucket, settings, start, status, writes: () => writes };
}

const AGENT = { instance: randomUUID(), atWorkMs: 2 * LOGINS_WATCHED_MS };

test("a coordinator that starts knows whose logins are broken without hearing the host", async () => {
  const { settings, start, status } = setUp();
  const first = start();
  first.noteStatus(status(FAILS, AGENT));
  assert.equal(first.whyDistrusted("mx1"), HELD);
  assert.equal(start().whyDistrusted("mx1"), undefined, "nobody has written it down yet");
  await first.publish(settings);
  assert.equal(start().whyDistrusted("mx1"), HELD);
  assert.equal(start().whyDistrusted("mx2"), undefined);
});

test("the host's word that it is over counts at once, and the coordinator that decides erases the entry", async () => {
  const { bucket, settings, start, status } = setUp();
  const [first, second] = [start(), start()];
  first.noteStatus(status(FAILS, AGENT));
  await first.publish(settings);
  first.noteStatus(status(undefined, AGENT));
  assert.equal(first.whyDistrusted("mx1"), undefined);
  assert.equal(second.whyDistrusted("mx1"), HELD);
  await first.publish(settings);
  assert.equal(bucket.size, 0);
  assert.equal(second.whyDistrusted("mx1"), undefined);
});

test("an agent that has just started does not know yet that it is over", async () => {
  const { clock, bucket, settings, start, status } = setUp();
  const first = start();
  first.noteStatus(status(FAILS, AGENT));
  await first.publish(settings);
  const instance = randomUUID();
  const second = start();
  for (const coordinator of [first, second]) {
    coordinator.noteStatus(status(undefined, { instance, atWorkMs: 1_000 }));
    await coordinator.publish(settings);
    assert.equal(coordinator.whyDistrusted("mx1"), HELD);
  }
  clock.now += LOGINS_WATCHED_MS;
  second.noteStatus(status(undefined, { instance, atWorkMs: LOGINS_WATCHED_MS }));
  await second.publish(settings);
  assert.deepEqual([second.whyDistrusted("mx1"), bucket.size], [undefined, 0]);
});

test("the entry of a host that is gone for good counts as long as its failures are read again", async () => {
  const { clock, bucket, settings, start, status } = setUp();
  const first = start();
  first.noteStatus(status(FAILS, AGENT));
  await first.publish(settings);
  clock.now += HORIZON;
  const second = start();
  await second.publish(settings);
  assert.equal(second.whyDistrusted("mx1"), HELD);
  clock.now += 1;
  assert.equal(second.whyDistrusted("mx1"), undefined);
  await second.publish(settings);
  assert.equal(bucket.size, 0);
});

test("the entry shows when the host has said so last, and is written once a minute", async () => {
  const { clock, settings, start, status, writes } = setUp();
  const first = start();
  for (let second = 0; second < 150; second += 1) {
    first.noteStatus(status(`${second} users are refused`, AGENT));
    await first.publish(settings);
    clock.now += 1_000;
  }
  assert.equal(writes(), 3);
  assert.match(start().whyDistrusted("mx1") ?? "", /: 120 users are refused$/);
});

test("a host that is removed leaves no entry", async () => {
  const { bucket, settings, start, status } = setUp();
  const [first, second] = [start(), start()];
  first.noteStatus(status(FAILS, AGENT));
  await first.publish(settings);
  await second.forgetHost(settings, "mx1");
  assert.deepEqual([bucket.size, first.whyDistrusted("mx1")], [0, undefined]);
});
