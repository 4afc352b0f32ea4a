/** What `ban show` says of the hosts: of each ban, and of hosts that do not report. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findSilentHosts,
  whereInForce,
} from "../../../../services/coordinator/api/where-in-force.ts";
import type { BanEntry } from "../../../../services/coordinator/buckets/ban-store.ts";
import type { ApiContext } from "../../../../services/coordinator/api/api-context.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const NOW = Date.UTC(2026, 10, 30);
const ADDRESS = parseNetwork("198.51.100.7")!;

/** Revision that each host has applied; undefined: it was not heard since the start. */
const FLEET = {
  ...{ mx1: { revision: 7, isUp: true }, mx2: { revision: 5, isUp: true } },
  ...{ mx3: { revision: 5, isUp: false }, mx10: { revision: 4, isUp: false }, mx11: undefined },
};

const hosts = Object.entries(FLEET).flatMap(([host, told]) => {
  if (!told) return [];
  const { revision, isUp } = told;
  return [
    {
      seenAt: isUp ? NOW : NOW - 60_000,
      status: { host, revision, bansCreated: "b", firewall: "ipset", refused: [], warnings: [] },
    },
  ];
});
type Host = (typeof hosts)[number];
const isUp = ({ seenAt }: Host) => seenAt === NOW;
const rows = Object.keys(FLEET).map((host) => {
  const found = hosts.find(({ status }) => status.host === host);
  const lastSeenAt = found?.seenAt ?? NOW - 3_600_000;
  return [host, () => ({ host, lastSeenAt, state: found && isUp(found) ? "up" : "down" })] as const;
});

const context = {
  bans: { revision: () => 9, created: () => "b" },
  hosts: {
    ...{ isUp, list: () => hosts },
    get: (name: string) => hosts.find(({ status }) => status.host === name),
  },
  fleet: { listHosts: () => Promise.resolve({ rows: new Map(rows.toReversed()), stale: null }) },
  jails: () => [],
  now: () => NOW,
} as unknown as ApiContext;

const entryOf = (jail: string, revision: number): BanEntry => ({
  ...{ key: `${jail}.x`, revision },
  ban: { jail, address: ADDRESS, state: "active", until: null } as BanEntry["ban"],
});

test("silent hosts are named with when they were heard last, and whether they had the ban", async () => {
  const silent = await findSilentHosts(context);
  const entries = [entryOf("dovecot", 5)];
  const { standing, local } = whereInForce(context, { address: ADDRESS, entries, silent });
  assert.deepEqual(standing?.silent, [
    { host: "mx3", lastSeenAt: NOW - 60_000, hadBan: true },
    { host: "mx10", lastSeenAt: NOW - 60_000, hadBan: false },
    { host: "mx11", lastSeenAt: NOW - 3_600_000, hadBan: false },
  ]);
  assert.deepEqual(standing.inForce, ["mx1", "mx2"]);
  assert.equal(standing.counts.live, 2);
  assert.equal(standing.counts.silent, 3);
  assert.deepEqual(local, [], "the only ban is in force where the address is banned");
});

test("each of several bans is in force where its own change has come, whatever changed later", () => {
  const entries = [entryOf("dovecot", 5), entryOf("submission", 7)];
  const { standing, local = [] } = whereInForce(context, { address: ADDRESS, entries, silent: [] });
  assert.deepEqual([standing?.inForce, standing?.missing], [["mx1"], ["mx2"]]);
  assert.deepEqual(
    local.map(({ jail, standing: { inForce } }) => [jail, inForce]),
    [
      ["dovecot", ["mx1", "mx2"]],
      ["submission", ["mx1"]],
    ],
  );
});
