import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createOutput } from "../../../services/cli/output.ts";
import { formatMs, reportReach, summarize } from "../../../services/cli/reach.ts";
import { parseNetwork } from "../../../services/wire/address.ts";
import type { HostRow } from "../../../services/wire/api.ts";

const ADDRESS = parseNetwork("198.51.100.0/24")!;
const INSIDE = parseNetwork("198.51.100.7")!;

const INEFFECTIVE = { code: "firewall-not-effective", severity: "high", text: "" } as const;

function hostRow(host: string, firewall: string, refused: { reason: string }[] = []): HostRow {
  return {
    host,
    state: "up",
    lastSeenAt: 0,
    current: true,
    clockSkew: 0,
    status: {
      v: 1,
      host,
      instance: randomUUID(),
      version: "1",
      startedAt: 0,
      sentAt: 0,
      firewall,
      revision: 1,
      bansCreated: null,
      bansInForce: 0,
      addresses: [],
      sources: [],
      refused: refused.map(({ reason }) => ({ address: INSIDE, reason })),
      repairs: 0,
      warnings: [],
    },
  };
}

test("a host that refused, is not effective, or only logs, is not one on which a ban is in force", () => {
  const reach = {
    applied: ["mx1", "mx2", "mx3", "mx6"].map((host, ms) => ({ host, ms })),
    missing: ["mx4"],
    down: ["mx5"],
  };
  const rows = [
    hostRow("mx1", "ipset"),
    hostRow("mx2", "dry-run"),
    hostRow("mx3", "ipset", [{ reason: "its own address" }]),
    hostRow("mx6", "ipset"),
  ];
  rows[3]!.status!.warnings.push(INEFFECTIVE);
  assert.deepEqual(summarize(reach, rows, ADDRESS), {
    done: [{ host: "mx1", ms: 0 }],
    total: 5,
    dry: ["mx2"],
    ineffective: ["mx6"],
    refused: [{ host: "mx3", reason: "its own address" }],
    missing: ["mx4"],
  });
});

test("times are shown in the unit that people read", () => {
  assert.deepEqual([0.44, 8.4, 999, 1234].map(formatMs), ["0.4 ms", "8 ms", "999 ms", "1.2 s"]);
});

test("where the answer is JSON, how far it has come is not said in words, too", async () => {
  const { stdout, stderr } = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({ stdout, stderr, environment: {} });
  const context = { output, now: Date.now, ask: () => assert.fail("nothing is to be asked") };
  const reach = { applied: [{ host: "mx1", ms: 8 }], missing: [], down: [] };
  const lifted = { address: ADDRESS, reach, change: "lifted" } as const;
  await reportReach(context, "ban remove", { ...lifted, json: undefined });
  await reportReach(context, "ban remove", { ...lifted, json: true });
  assert.equal(String(stdout.read()), "lifted on 1/1 hosts after 8 ms\n");
});
