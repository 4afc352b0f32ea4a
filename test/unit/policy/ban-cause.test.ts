import assert from "node:assert/strict";
import { test } from "node:test";
import { causeOf, isCausedAloneBy, isCausedBy } from "../../../services/policy/ban-cause.ts";

const by = (hosts: Record<string, number>) => ({
  evidence: Object.entries(hosts).map(([host, failures]) => ({ host, failures })),
});

test("the host that saw most of the failures has caused a ban, of several the one that completed it", () => {
  assert.equal(causeOf(by({ mx1: 4, mx2: 1 }), "mx2"), "mx1");
  assert.equal(causeOf(by({ mx1: 2, mx2: 2, mx3: 1 }), "mx2"), "mx2");
  assert.equal(causeOf(by({ mx2: 2, mx1: 2, mx3: 1 }), "mx3"), "mx1");
  assert.equal(causeOf(by({})), undefined);
});

test("a ban is found by every host that saw as much as any other, and alone only by the only one", () => {
  const ban = by({ mx1: 2, mx2: 2, mx3: 1 });
  assert.deepEqual(
    ["mx1", "mx2", "mx3", "mx4"].map((host) => isCausedBy(ban, host)),
    [true, true, false, false],
  );
  assert.equal(isCausedAloneBy(ban, "mx1"), false);
  assert.equal(isCausedAloneBy(by({ mx1: 5 }), "mx1"), true);
  assert.equal(isCausedAloneBy(by({}), "mx1"), false);
});
