/** When a host is late to put bans into force. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLateHosts } from "../../../../services/coordinator/hosts/late-hosts.ts";

function setUp() {
  const at = { now: 1_000_000, revision: 0, created: "b1" as string | null };
  const late = createLateHosts({
    bans: { created: () => at.created, revision: () => at.revision },
    now: () => at.now,
  });
  const hear = (revision: number, bansCreated: string | null = at.created) => {
    late.noteStatus({ host: "mx1", bansCreated, revision });
  };
  return { at, late, hear };
}

test("a host that does not reach what the bucket had 30 s ago is late, until it does", () => {
  const { at, late, hear } = setUp();
  at.revision = 5;
  hear(4);
  at.now += 29_999;
  assert.equal(late.warningOf("mx1"), undefined);
  at.now += 1;
  assert.match(late.warningOf("mx1")?.text ?? "", /decided by 1970-01-01T00:16:40.000Z/);
  hear(5);
  assert.equal(late.warningOf("mx1"), undefined);
});

test("in a storm of bans a host that follows a second behind is never late", () => {
  const { at, late, hear } = setUp();
  for (let second = 0; second < 120; second += 1) {
    at.now += 1_000;
    at.revision += 1_000;
    hear(at.revision - 1_000);
    assert.equal(late.warningOf("mx1"), undefined);
  }
});

test("a bucket that is made anew gives every host its time again", () => {
  const { at, late, hear } = setUp();
  at.revision = 5;
  hear(4);
  at.now += 60_000;
  Object.assign(at, { created: "b2", revision: 1 });
  hear(5, "b1");
  assert.equal(late.warningOf("mx1"), undefined);
  at.now += 30_000;
  assert.ok(late.warningOf("mx1"));
  hear(1);
  assert.equal(late.warningOf("mx1"), undefined);
});

test("a coordinator that has not read the bucket blames nobody", () => {
  const { at, late, hear } = setUp();
  at.created = null;
  hear(0, "b1");
  at.now += 60_000;
  assert.equal(late.warningOf("mx1"), undefined);
});
