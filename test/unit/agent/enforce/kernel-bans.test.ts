/** The bans given to the kernel, and how they are counted beside changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { HostBan } from "../../../../services/agent/enforce/ban-filter.ts";
import { createDryRunFirewall } from "../../../../services/agent/enforce/firewall/dry-run.ts";
import { createKernelBans } from "../../../../services/agent/enforce/kernel-bans.ts";
import { withResolvers } from "../../../../services/process/with-resolvers.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";
import { banKey } from "../../../../services/wire/subjects.ts";
import { eventually } from "../../../harness/eventually.ts";
import { JAIL } from "../../../harness/jail.ts";

const ADDRESS = parseNetwork("198.51.100.1")!;
const BAN: HostBan = {
  ...{ jail: "dovecot", address: ADDRESS, state: "active", until: null, by: "decider" },
};
const CHANGE = new Map([[banKey(BAN.jail, BAN.address), { ban: BAN, isGone: false }]]);

/** `pause` comes after the kernel has done what was asked, and before its answer arrives. */
async function setUp(pause: { ban?: Promise<void>; count?: Promise<void> }) {
  const dryRun = createDryRunFirewall({ now: Date.now, say: () => {} });
  await dryRun.open([JAIL]);
  const bans = createKernelBans({
    firewall: {
      ...dryRun,
      async ban(some) {
        const refused = await dryRun.ban(some);
        await pause.ban;
        return refused;
      },
      async count() {
        const count = await dryRun.count();
        await pause.count;
        return count;
      },
    },
    judge: ({ jail, address }) => ({ type: "applies", ban: { jail, address, seconds: undefined } }),
    log: pino({ level: "silent" }),
  });
  return { bans, dryRun };
}

test("a count that a new ban has overtaken says nothing", async () => {
  const count = withResolvers();
  const { bans } = await setUp({ count: count.promise });
  const counted = bans.recount();
  await bans.apply(CHANGE);
  count.resolve();
  await counted;
  assert.equal(bans.count(), 1);
});

test("a count beside a ban that the kernel has not confirmed yet says nothing", async () => {
  const ban = withResolvers();
  const { bans, dryRun } = await setUp({ ban: ban.promise });
  const applied = bans.apply(CHANGE);
  await eventually("the kernel has the ban", async () => (await dryRun.count()) === 1);
  await bans.recount();
  assert.equal(bans.count(), 0);
  ban.resolve();
  await applied;
  assert.equal(bans.count(), 1);
});

test("bans that the kernel has let go by itself are not counted", async () => {
  const { bans, dryRun } = await setUp({});
  await bans.apply(CHANGE);
  await dryRun.unban([BAN]);
  await bans.recount();
  assert.equal(bans.count(), 0);
});
