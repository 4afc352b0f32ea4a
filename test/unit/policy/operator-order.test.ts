import assert from "node:assert/strict";
import { test } from "node:test";
import { banByOperator, banForOffence } from "../../../services/policy/ban-lifecycle.ts";
import { holdBan, releaseBan } from "../../../services/policy/held-ban.ts";
import { leaveOrder, orderIn } from "../../../services/policy/operator-order.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../../services/wire/ban.ts";
import { banKey } from "../../../services/wire/subjects.ts";
import type { Jail } from "../../../services/wire/settings.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const id = "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d";
const address = parseAddress("198.51.100.7")!;
const jail: Jail = {
  ...{ v: 1, name: "dovecot", ports: [143], maxretry: 5, findtime: 600, bantime: 600 },
};

const change = (now: number) => ({ now, id });
const offended = (at: number, present?: Ban) => {
  const offence = { address, at, since: at - 1, hosts: new Map([["mx1", 5]]) };
  return banForOffence(present, jail, offence, change(at))!;
};
const ordered = (now: number, seconds: number | null, present?: Ban) => {
  const words = { reason: "abuse", by: "operator alice", replace: false };
  return banByOperator(present, { jail, address, seconds, ...words }, change(now))!;
};
const asOrdered = (ban: Ban) => {
  const { until, by, reason, evidence, basis } = ban;
  return { until, by, reason, evidence, basis };
};

test("an operator's ban over an automatic one shows the failures, and is left without them", () => {
  const ban = ordered(T0 + SECOND, 3_600, offended(T0));
  assert.deepEqual(ban.evidence, [{ host: "mx1", failures: 5 }]);
  assert.deepEqual(decodeBan(encodeBan(ban), banKey("dovecot", address)), ban);
  assert.deepEqual(asOrdered(leaveOrder(ban, change(T0 + 2 * SECOND))!), {
    ...{ until: T0 + 3_601 * SECOND, by: "operator alice", reason: "abuse" },
    ...{ evidence: [], basis: undefined },
  });
});

test("an operator's ban that failures extend is left with the end that the operator set", () => {
  const extended = offended(T0 + SECOND, ordered(T0, 60));
  assert.deepEqual([extended.by, extended.until], ["decider", T0 + 601 * SECOND]);
  const again = offended(T0 + 2 * SECOND, extended);
  const left = leaveOrder(again, change(T0 + 3 * SECOND))!;
  assert.deepEqual([left.until, left.by], [T0 + 60 * SECOND, "operator alice"]);
  assert.equal(left.countedUntil, again.countedUntil);
  assert.equal(leaveOrder(left, change(T0 + 4 * SECOND)), undefined);
  assert.equal(leaveOrder(again, change(T0 + 60 * SECOND)), undefined);
});

test("nothing is left of what only failures have brought, also after it was released", () => {
  assert.equal(leaveOrder(offended(T0), change(T0 + 1)), undefined);
  const held = holdBan(offended(T0), undefined, "too many bans");
  const released = releaseBan(held, "operator alice", change(T0 + 1))!;
  assert.equal(leaveOrder(released, change(T0 + 2)), undefined);
  const commanded = ordered(T0 + 2, null, released);
  assert.equal(orderIn(commanded)?.until, null);
});

test("an operator's ban that is over is no part of the next one", () => {
  const over = ordered(T0, 60);
  assert.equal(offended(T0 + 61 * SECOND, over).basis, undefined);
  assert.equal(ordered(T0 + 61 * SECOND, 60, over).basis, undefined);
});
