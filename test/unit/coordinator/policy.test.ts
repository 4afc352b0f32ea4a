import assert from "node:assert/strict";
import { test } from "node:test";
import {
  banByOperator,
  banForOffence,
  expireBan,
  isOver,
  liftBan,
  type OperatorBan,
} from "../../../services/coordinator/policy.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../../services/wire/ban.ts";
import type { Jail } from "../../../services/wire/settings.ts";

const NOW = Date.UTC(2026, 10, 24);
const address = parseAddress("198.51.100.7")!;
const jail: Jail = { v: 1, name: "dovecot", ports: [], maxretry: 5, findtime: 60, bantime: 600 };
const change = (now = NOW) => ({ now, id: crypto.randomUUID() });
const offence = (at = NOW) => ({ address, at, since: at - 1000, hosts: new Map([["mx1", 5]]) });
const order = (more: Partial<OperatorBan>): OperatorBan => ({
  ...{ jail, address, seconds: undefined, reason: "by hand", by: "operator", replace: false },
  ...more,
});
const banned = (seconds: number | null): Ban =>
  banByOperator(undefined, order({ seconds }), change())!;

test("the longest ban wins, and for ever beats everything", () => {
  assert.equal(banForOffence(banned(60), jail, offence(), change())?.until, NOW + 600_000);
  assert.equal(banForOffence(banned(900), jail, offence(), change()), undefined);
  assert.equal(banForOffence(banned(null), jail, offence(), change()), undefined);
  assert.equal(banByOperator(banned(60), order({ seconds: null }), change())?.until, null);
  assert.equal(banByOperator(banned(900), order({ seconds: 60 }), change()), undefined);
});

test("only an operator who says replace makes a ban shorter", () => {
  const shorter = banByOperator(banned(null), order({ seconds: 60, replace: true }), change());
  assert.equal(shorter?.until, NOW + 60_000);
});

test("a ban that is extended keeps its beginning, its number and what it was for", () => {
  const first = banForOffence(undefined, jail, offence(), change())!;
  const longer = banByOperator(first, order({ seconds: 9_000 }), change(NOW + 5_000))!;
  assert.deepEqual(
    [longer.startsAt, longer.offence, longer.evidence],
    [first.startsAt, 1, first.evidence],
  );
});

test("an offence that a ban has been given for brings no second one", () => {
  const first = banForOffence(undefined, jail, offence(), change())!;
  const over = expireBan(first, change(NOW + 700_000))!;
  assert.equal(over.state, "expired");
  assert.equal(banForOffence(over, jail, offence(), change(NOW + 500_000)), undefined);
  const next = banForOffence(over, jail, offence(NOW + 701_000), change(NOW + 701_000));
  assert.equal(next?.offence, 2);
});

test("a ban in force does not expire, and one that is over is forgotten only much later", () => {
  const first = banned(60);
  assert.equal(expireBan(first, change(NOW + 59_000)), undefined);
  const over = expireBan(first, change(NOW + 61_000))!;
  assert.equal(isOver(over, NOW + 62_000, 60), false);
  assert.equal(isOver(over, NOW + 61_000 + 121_000, 60), true);
  assert.equal(isOver(first, NOW + 9_000_000, 60), false);
});

test("whatever an operator orders can be read by everyone else", () => {
  for (const seconds of [1, 1e9, 1e12, null]) {
    const ban = banned(seconds);
    assert.deepEqual(decodeBan(encodeBan(ban), "key"), ban);
    const lift = { by: "operator", reason: "", immunity: seconds ?? 1e13 };
    const lifted = liftBan(ban, lift, change());
    assert.deepEqual(decodeBan(encodeBan(lifted), "key"), lifted);
  }
});
