import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { eventOfBan } from "../../../../services/coordinator/notify/ban-events.ts";
import { Digest, MOST_WHOLE } from "../../../../services/coordinator/notify/digest.ts";
import { expireBan, liftBan } from "../../../../services/policy/ban-lifecycle.ts";
import { discardBan, releaseBan } from "../../../../services/policy/held-ban.ts";
import type { Ban } from "../../../../services/wire/ban.ts";
import { makeBan } from "../../../harness/notify-centre.ts";

const eventOf = (ban: Ban, storedAt = ban.changedAt) =>
  eventOfBan(ban, { created: "2026", sequence: 1, storedAt });
const BAN = makeBan("198.51.100.7");

test("one ban has one id, whoever reports it and however often it was written", () => {
  const id = eventOf(BAN)?.id;
  const restored = { ...BAN, change: "6f1f0b4e-9f0a-4a52-9d0a-0d1d9c1f9a11" };
  assert.equal(eventOf(restored, BAN.changedAt + 5_000)?.id, id);
  const next = { ...BAN, startsAt: BAN.startsAt + 1, changedAt: BAN.startsAt + 1 };
  assert.notEqual(eventOf(next)?.id, id);
  assert.notEqual(eventOf({ ...BAN, state: "held", held: "x" })?.id, id);
  assert.notEqual(eventOf({ ...BAN, state: "lifted", changedAt: BAN.changedAt + 9 })?.id, id);
});

test("what is told of a change of a ban", () => {
  const later = BAN.changedAt + 60_000;
  const typeOf = (changes: Partial<Ban>, storedAt?: number) =>
    eventOf({ ...BAN, ...changes }, storedAt)?.type;
  assert.equal(typeOf({}), "ban");
  assert.equal(typeOf({ basis: { rule: "network" } }), "network-ban");
  assert.equal(typeOf({ changedAt: later }), undefined, "it was made longer");
  assert.equal(typeOf({ state: "held", held: "too many" }), "held");
  assert.equal(typeOf({ state: "lifted", changedAt: later }), "unban");
  assert.equal(typeOf({ state: "expired", changedAt: later }), "unban");
  assert.equal(typeOf({ state: "expired", held: "too many", changedAt: later }), undefined);
  assert.equal(typeOf({}, BAN.changedAt + 3_600_000), undefined, "it comes from the history");
});

test("what never was in force is told as no unban, and a shadow not at all", () => {
  const change = { now: BAN.changedAt + 1_000, id: randomUUID() };
  const held: Ban = { ...BAN, state: "held", held: "host mx1 has caused too many" };
  const discarded = discardBan(held, { by: "operator alice", reason: "x" }, change);
  assert.equal(discarded?.state, "lifted");
  assert.equal(eventOf(discarded), undefined);
  const shadow: Ban = { ...BAN, state: "shadow", held: "jail dovecot is in shadow mode" };
  assert.equal(eventOf(shadow), undefined);
  const until = BAN.changedAt + 1;
  const expired = [held, shadow].map((ban) => expireBan({ ...ban, until }, change));
  assert.deepEqual(
    expired.map((ban) => [ban?.state, ban && eventOf(ban)]),
    [
      ["expired", undefined],
      ["expired", undefined],
    ],
  );
  // Once it was in force, its end is told, also if its widening was held.
  const released = releaseBan(held, "operator alice", change);
  const local: Ban = { ...BAN, hosts: ["mx1"], held: "host mx2 has caused too many" };
  for (const ban of [released, local]) {
    const lifted = liftBan(ban!, { by: "operator alice", reason: "x", immunity: 0 }, change);
    assert.equal(eventOf(lifted)?.type, "unban");
  }
});

test("that a ban stays on its host because the guard holds its widening is told as a held ban", () => {
  const later = BAN.changedAt + 60_000;
  const held = "host mx2 has caused more than 60 bans within a minute (guard.perHost)";
  const local: Ban = { ...BAN, hosts: ["mx1"], held, changedAt: later };
  const event = eventOf(local);
  assert.deepEqual([event?.type, event?.ban?.state], ["held", "held"]);
  assert.equal(event?.ban?.held, `in force on mx1 alone, for others: ${held}`);
  assert.equal(eventOf({ ...local, until: null, changedAt: later + 1 })?.id, event.id);
  assert.equal(eventOf({ ...BAN, changedAt: later }), undefined, "it is released");
});

test("a digest of ten thousand bans has few of them whole, totals, and the top networks", () => {
  const digest = new Digest();
  for (let index = 0; index < 10_000; index += 1) {
    const event = eventOf(makeBan(`10.${index % 50}.${index % 7}.${index % 251}`));
    assert.ok(event);
    digest.add(event);
  }
  const { id, events, totals } = digest.delivery();
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    [events.length, totals.events, totals.networks.length],
    [MOST_WHOLE, 10_000, 10],
  );
  assert.ok((totals.networks[0]?.[1] ?? 0) >= (totals.networks[9]?.[1] ?? 0));
});
