import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { countedChange } from "../../../../services/coordinator/metrics/ban-changes.ts";
import { createLabelValues } from "../../../../services/coordinator/metrics/label-values.ts";
import { makeBan } from "../../../harness/notify-centre.ts";
import type { Ban } from "../../../../services/wire/ban.ts";

const NOW = Date.UTC(2026, 10, 24);
const banned = makeBan("198.51.100.7", { startsAt: NOW, changedAt: NOW, until: NOW + 1_200_000 });
const then = (changes: Partial<Ban>, ban: Ban = banned): Ban => ({
  ...ban,
  ...{ change: randomUUID(), changedAt: ban.changedAt + 1_000 },
  ...changes,
});

test("a ban counts when it comes into force, and not when it is extended or read again", () => {
  assert.deepEqual(countedChange(banned, undefined), { type: "banned", cause: "maxretry" });
  assert.equal(countedChange(then({ until: null }), banned), undefined);
  assert.equal(countedChange(banned, banned), undefined);
  const late = then({ changedAt: NOW + 2_000_000, until: null });
  assert.deepEqual(countedChange(late, banned), { type: "banned", cause: "maxretry" });
});

test("the cause of a ban is a rule of the jail, an operator, or other", () => {
  const causeOf = (changes: Partial<Ban>) => {
    const change = countedChange(then(changes), undefined);
    return change?.type === "banned" ? change.cause : change;
  };
  assert.equal(causeOf({ by: "operator alice" }), "operator");
  assert.equal(causeOf({ basis: { rule: "decoy" } }), "decoy");
  assert.equal(causeOf({ basis: { bans: [{ jail: "dovecot", bans: 3 }] } }), "bans");
  assert.equal(causeOf({ basis: { rule: "of a later version" } }), "other");
  assert.equal(causeOf({ by: "config" }), "other");
});

test("the end of a ban counts with its cause, and the end of one that was not in force does not", () => {
  const endOf = (changes: Partial<Ban>, before = banned) => countedChange(then(changes), before);
  assert.deepEqual(endOf({ state: "expired" }), { type: "unbanned", cause: "expired" });
  const lifted = { state: "lifted", by: "operator bob" } as const;
  assert.deepEqual(endOf(lifted), { type: "unbanned", cause: "operator" });
  const spared = { state: "active", by: "decider", reason: "" } as const;
  assert.deepEqual(endOf({ ...lifted, spared }), { type: "unbanned", cause: "allowlist" });
  assert.equal(endOf({ state: "expired" }, { ...banned, state: "held" }), undefined);
});

test("a held ban and a shadow count once", () => {
  for (const state of ["held", "shadow"] as const) {
    const first = then({ state });
    assert.deepEqual(countedChange(first, undefined), { type: state });
    assert.equal(countedChange(then({ until: null }, first), first), undefined);
  }
});

test("a label has no more values than are allowed, and those that it has stay", () => {
  const label = createLabelValues(2);
  assert.deepEqual(["a", "b", "c", "a", "d"].map(label), ["a", "b", "other", "a", "other"]);
});
