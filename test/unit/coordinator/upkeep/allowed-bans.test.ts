import assert from "node:assert/strict";
import { test } from "node:test";
import type { Step } from "../../../../services/coordinator/buckets/ban-store.ts";
import { createAllowedBans } from "../../../../services/coordinator/upkeep/allowed-bans.ts";
import { createAllowlist } from "../../../../services/policy/allowlist.ts";
import type { Log } from "../../../../services/process/log.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import type { Ban } from "../../../../services/wire/ban.ts";

const NOW = 1_790_000_000_000;
const ADDRESS = parseAddress("198.51.100.7")!;
const due: Ban = {
  ...{ v: 1, change: "00000000-0000-4000-8000-000000000001", jail: "dovecot", address: ADDRESS },
  ...{ state: "active", offence: 1, startsAt: NOW, until: NOW + 600_000, changedAt: NOW },
  ...{ reason: "5 failures", evidence: [], by: "decider", immuneUntil: null, countedUntil: NOW },
};

/** One ban of an address that is on the allowlist. `onWrite` runs while a change is written. */
function start(onWrite: () => void) {
  const allowlist = createAllowlist();
  const by = { by: "root@centre", addedAt: NOW, origin: "operator", comment: "" } as const;
  allowlist.set({ v: 1, address: ADDRESS, ...by });
  const bucket = { ban: due };
  const allowedBans = createAllowedBans({
    bans: {
      entries: () => [{ key: "dovecot.198-51-100-7", ban: bucket.ban, revision: 1 }].values(),
      async change(_jail: string, _address: unknown, step: Step) {
        const ban = step(bucket.ban, 1);
        if (ban) bucket.ban = ban;
        await Promise.resolve().then(onWrite);
        return ban && { ban, revision: 2 };
      },
    },
    allowlist,
    now: () => NOW,
    newId: () => "00000000-0000-4000-8000-000000000002",
    log: { info() {} } as unknown as Log,
  });
  return { allowedBans, bucket };
}

test("a ban that comes while the one before it is lifted is lifted as well", async () => {
  let writes = 0;
  const { allowedBans, bucket } = start(() => {
    writes += 1;
    if (writes > 1) return;
    bucket.ban = { ...due, by: "root@mx1" };
    allowedBans.noteBan(bucket.ban);
  });
  await allowedBans.settle();
  assert.equal(bucket.ban.state, "active");
  await allowedBans.settle();
  assert.equal(bucket.ban.state, "lifted");
});

test("a ban is lifted later when NATS does not take the change", async () => {
  let isAway = true;
  const { allowedBans, bucket } = start(() => {
    if (!isAway) return;
    bucket.ban = due;
    throw new Error("NATS is away");
  });
  await assert.rejects(allowedBans.settle(), /NATS is away/);
  assert.equal(bucket.ban.state, "active");
  isAway = false;
  await allowedBans.settle();
  assert.equal(bucket.ban.state, "lifted");
});
