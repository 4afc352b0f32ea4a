import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { troubleOf } from "../../../services/cli/host-wait.ts";
import type { HostRow } from "../../../services/wire/api.ts";

const NOW = 1_000_000;
const ANY = { version: undefined, since: undefined };

function row(change: Partial<HostRow> = {}, status: Partial<HostRow["status"]> = {}): HostRow {
  const own = {
    ...{ v: 1 as const, host: "mx1", instance: randomUUID(), version: "1.2.3" },
    ...{ startedAt: NOW - 60_000, sentAt: NOW, firewall: "ipset", revision: 1, bansCreated: null },
    ...{ bansInForce: 7, addresses: [], sources: [], refused: [], repairs: 0, warnings: [] },
    ...status,
  };
  const seen = { state: "up" as const, lastSeenAt: NOW - 5_000, current: true, clockSkew: 0 };
  return { host: "mx1", ...seen, status: own, ...change };
}

test("a host that is up and current is well, whatever lesser warnings it has", () => {
  const warnings = [{ code: "clock", severity: "medium" as const, text: "its clock is off" }];
  const expected = { version: "1.2.3", since: NOW - 60_000 };
  assert.equal(troubleOf(row({}, { warnings }), expected, NOW), undefined);
});

test("a host that is not well is told in one sentence why", () => {
  const unheard = "the fleet has not heard of it";
  const log = "its log says why: journalctl -u fleetban-agent";
  const high = { code: "source", severity: "high" as const, text: "mail.log: permission denied" };
  const cases: readonly [HostRow | undefined, typeof ANY | object, string][] = [
    [undefined, ANY, `${unheard}; ${log}`],
    [row({ status: null }), ANY, `${unheard}; ${log}`],
    [row({ state: "down" }), ANY, `it is down, last heard 5s ago; ${log}`],
    [row(), { since: NOW }, `${unheard} since its agent was started again; ${log}`],
    [row(), { version: "2.0.0" }, "its agent is version 1.2.3, expected 2.0.0"],
    [row({}, { warnings: [high] }), ANY, "mail.log: permission denied"],
    [row({ current: false }), ANY, "it has 7 bans in force, and not every one yet"],
  ];
  for (const [given, expected, told] of cases) {
    assert.equal(troubleOf(given, { ...ANY, ...expected }, NOW), told);
  }
});
