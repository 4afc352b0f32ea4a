import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createReaches } from "../../../../services/coordinator/api/reach.ts";
import type { BanStore } from "../../../../services/coordinator/buckets/ban-store.ts";
import type { Host, Hosts } from "../../../../services/coordinator/hosts/hosts.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const ADDRESS = parseNetwork("198.51.100.0/24")!;
const INSIDE = parseNetwork("198.51.100.7")!;
const INEFFECTIVE = { code: "firewall-not-effective", severity: "high", text: "" } as const;

function hostOf(host: string, told: Partial<Host["status"]> = {}): Host {
  return {
    seenAt: 0,
    status: {
      v: 1,
      host,
      instance: randomUUID(),
      version: "1",
      startedAt: 0,
      sentAt: 0,
      firewall: "ipset",
      revision: 1,
      bansCreated: null,
      bansInForce: 0,
      addresses: [],
      sources: [],
      refused: [],
      repairs: 0,
      warnings: [],
      ...told,
    },
  };
}

const HOSTS = [
  hostOf("mx1"),
  hostOf("mx2", { firewall: "dry-run" }),
  hostOf("mx3", { refused: [{ address: INSIDE, reason: "its own address" }] }),
  hostOf("mx4", { revision: 0 }),
  hostOf("mx6", { warnings: [INEFFECTIVE] }),
];

function reachesOf(applied: readonly string[]) {
  const hosts: Pick<Hosts, "list" | "isUp" | "untilApplied"> = {
    list: () => HOSTS,
    isUp: () => true,
    untilApplied: () =>
      Promise.resolve({
        applied: applied.map((host, index) => ({ host, ms: index })),
        missing: ["mx4"],
        down: ["mx5"],
      }),
  };
  const bans: Pick<BanStore, "revision" | "created"> = { revision: () => 1, created: () => null };
  return createReaches({ bans, hosts });
}

const SORTED = {
  inForce: ["mx1"],
  missing: ["mx4"],
  dryRun: ["mx2"],
  ineffective: ["mx6"],
  refused: [{ host: "mx3", address: INSIDE, reason: "its own address" }],
};
const COUNTS = { live: 5, inForce: 1, missing: 1, dryRun: 1, ineffective: 1, refused: 1 };

test("a host that refused, is not effective, or only logs, is not one on which a ban is in force", async () => {
  const reaches = reachesOf(["mx1", "mx2", "mx3", "mx6"]);
  assert.deepEqual(reaches.standing(ADDRESS, 1), { ...SORTED, counts: COUNTS });
  const { slowestMs, applied, down, ...reach } =
    (await reaches.untilApplied({ banned: ADDRESS }, [], 0, 1)) ?? assert.fail();
  assert.deepEqual(reach, { ...SORTED, counts: { ...COUNTS, applied: 4, down: 1 } });
  assert.equal(slowestMs, 0, "the slowest of those in force");
  assert.deepEqual(
    applied.map(({ host }) => host),
    ["mx6", "mx3", "mx2", "mx1"],
  );
  assert.deepEqual(down, ["mx5"]);
});

test("a ban is in force on a host that lacks newer bans alone", () => {
  const { inForce, missing } = reachesOf([]).standing(ADDRESS, 0);
  assert.deepEqual([inForce, missing], [["mx1", "mx4"], []]);
});

test("the end of a ban is in force on every host that has it", async () => {
  const reaches = reachesOf(["mx1", "mx2", "mx3", "mx6"]);
  const reach = await reaches.untilApplied({ lifted: ADDRESS }, [], 0, 1);
  assert.deepEqual(reach?.inForce, ["mx1", "mx2", "mx3", "mx6"]);
  assert.equal(reach.slowestMs, 3);
});
