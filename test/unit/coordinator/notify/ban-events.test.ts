import assert from "node:assert/strict";
import { test } from "node:test";
import { eventOfBan } from "../../../../services/coordinator/notify/ban-events.ts";
import { Digest, MOST_WHOLE } from "../../../../services/coordinator/notify/digest.ts";
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
