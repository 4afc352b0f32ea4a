import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostBan } from "../../../../services/agent/enforce/ban-filter.ts";
import { createPendingChanges } from "../../../../services/agent/enforce/pending-changes.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const ban = (n: number, state: HostBan["state"] = "active"): HostBan => ({
  ...{ jail: "dovecot", address: parseNetwork(`198.51.100.${n}`)!, state },
  ...{ until: null, by: "decider" },
});
const change = (n: number, state?: HostBan["state"]) => ({ ban: ban(n, state), isGone: false });

function pendingWithManyOthers() {
  const pending = createPendingChanges();
  for (let n = 0; n < 4_000; n += 1)
    pending.note(`ended ${n}`, change(1, "lifted"), "end-of-a-ban");
  for (let n = 0; n < 4_000; n += 1) pending.note(`again ${n}`, change(2), "judged-again");
  return pending;
}

test("a new ban waits for one portion of thousands of other changes", () => {
  const pending = pendingWithManyOthers();
  const underWay = pending.takePortion();
  assert.ok(underWay.size > 0 && underWay.size <= 500, `${underWay.size} changes are under way`);
  pending.note("new", change(3), "new-ban");
  assert.deepEqual([...pending.takePortion().keys()], ["new"]);
});

test("other changes have their turn between new bans, and nothing is left out", () => {
  const pending = pendingWithManyOthers();
  const taken = new Set<string>();
  let newBans = 0;
  while (!pending.isEmpty()) {
    pending.note(`new ${newBans}`, change(3), "new-ban");
    newBans += 1;
    for (const key of pending.takePortion().keys()) taken.add(key);
    if (taken.size >= 8_000) for (const key of pending.takePortion().keys()) taken.add(key);
  }
  assert.equal(taken.size, 8_000 + newBans);
});

test("of one ban the newest change is kept, in the more urgent of its places", () => {
  const pending = createPendingChanges();
  pending.note("other", change(4), "end-of-a-ban");
  pending.note("one", change(1), "judged-again");
  pending.note("one", change(2), "new-ban");
  pending.note("one", change(3, "lifted"), "end-of-a-ban");
  const portion = pending.takePortion();
  assert.deepEqual([...portion.keys()], ["one"]);
  assert.deepEqual(portion.get("one")?.ban, ban(3, "lifted"));
  assert.deepEqual([...pending.takePortion().keys()], ["other"]);
  assert.ok(pending.isEmpty());
});

test("a portion that is put back does not take the place of what was noted since", () => {
  const pending = createPendingChanges();
  pending.note("one", change(1), "new-ban");
  pending.note("two", change(2), "new-ban");
  const portion = pending.takePortion();
  pending.note("one", change(3), "judged-again");
  pending.putBack(portion);
  const left = new Map([...pending.takePortion(), ...pending.takePortion()]);
  assert.deepEqual(left.get("two"), { ...change(2), urgency: "new-ban" });
  assert.deepEqual(left.get("one"), { ...change(3), urgency: "judged-again" });
});
