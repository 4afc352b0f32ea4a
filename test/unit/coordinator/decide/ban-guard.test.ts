import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { createBanGuard } from "../../../../services/coordinator/decide/ban-guard.ts";
import { bansBefore } from "../../../../services/policy/ban-memory.ts";
import { discardBan, heldBecauseOf, releaseBan } from "../../../../services/policy/held-ban.ts";
import { confirmingOffence } from "../../../../services/policy/quorum.ts";
import { banForOffence, expireBan, isOver } from "../../../../services/policy/ban-lifecycle.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";
import {
  awaitsRelease,
  decodeBan,
  encodeBan,
  isHeld,
  isInForce,
  type Ban,
} from "../../../../services/wire/ban.ts";
import type { Jail } from "../../../../services/wire/settings.ts";
import { banKey } from "../../../../services/wire/subjects.ts";
import { JAIL } from "../../../harness/jail.ts";

const START = Date.UTC(2026, 10, 24);
const LIMITS = { bansPerMinute: 10, perHost: 4 };

/** One bucket, and as many guards on it as there are coordinators. */
function setUp(limits: { bansPerMinute: number | null; perHost: number | null } = LIMITS) {
  const clock = { now: START };
  const quarantined = new Set<string>();
  const distrusted = new Map<string, string>();
  const bucket = new Map<string, Ban>();
  const makeGuard = () =>
    createBanGuard({
      ...{ limits: () => limits, now: () => clock.now },
      isQuarantined: (host) => quarantined.has(host),
      distrust: (host) => distrusted.get(host),
    });
  const guards = [makeGuard()];
  let number = 0;

  /** What becomes of an offence of an address with this evidence, completed by its last host. */
  function offend(
    evidence: Record<string, number>,
    text = `10.0.${number >> 8}.${number++ & 255}`,
    { jail = JAIL, rule }: { jail?: Jail; rule?: "confirmed" } = {},
  ) {
    const address = parseNetwork(text)!;
    const key = banKey("dovecot", address);
    const hosts = new Map(Object.entries(evidence));
    const present = bucket.get(key);
    const offence = { address, at: clock.now, since: clock.now, hosts, ...(rule && { rule }) };
    const ban = banForOffence(present, jail, offence, { now: clock.now, id: randomUUID() });
    const judged = ban && guards[0]!.judge(ban, present, [...hosts.keys()].at(-1)!);
    if (!judged) return undefined;
    const stored = decodeBan(encodeBan(judged), key);
    bucket.set(key, stored);
    for (const guard of guards) guard.observe(stored);
    return stored;
  }
  return { guards, makeGuard, offend, bucket, clock, quarantined, distrusted };
}

test("what a host causes above its limit within a minute is held, and says why", () => {
  const { offend, clock } = setUp();
  const states = Array.from({ length: 6 }, () => offend({ mx1: 5 })!);
  assert.deepEqual(
    states.map(({ state }) => state),
    ["active", "active", "active", "active", "held", "held"],
  );
  assert.match(states[5]!.held!, /host mx1 has caused more than 4 bans within a minute/);
  assert.equal(offend({ mx2: 5 })!.state, "active");
  clock.now += 60_000;
  assert.equal(offend({ mx1: 5 })!.state, "active");
});

test("the fleet's limit holds bans of any host", () => {
  const { offend } = setUp();
  const states = Array.from({ length: 12 }, (_, n) => offend({ [`mx${n % 4}`]: 5 })!.state);
  assert.equal(states.filter((state) => state === "active").length, 10);
});

test("a ban counts for the host that saw most of it, not for an honest one that completed it", () => {
  const { offend } = setUp();
  for (let n = 0; n < 4; n += 1) offend({ liar: 4, mx1: 1 });
  assert.equal(offend({ liar: 4, mx1: 1 })!.state, "held");
  assert.equal(offend({ mx1: 5 })!.state, "active");
});

test("a guard that is off holds nothing", () => {
  const { offend } = setUp({ bansPerMinute: null, perHost: null });
  const states = Array.from({ length: 500 }, () => offend({ mx1: 5 })!.state);
  assert.ok(states.every((state) => state === "active"));
});

test("a coordinator that takes over knows what the last minute has brought", () => {
  const { guards, makeGuard, offend, bucket } = setUp();
  for (let n = 0; n < 4; n += 1) offend({ mx1: 5 });
  const next = makeGuard();
  for (const ban of bucket.values()) next.observe(ban);
  guards[0] = next;
  assert.equal(offend({ mx1: 5 })!.state, "held");
});

test("a ban that extends one in force is never held, and counts as no new one", () => {
  const { offend, clock } = setUp();
  for (let n = 0; n < 4; n += 1) offend({ mx1: 5 }, `192.0.2.${n}`);
  for (let n = 0; n < 4; n += 1) {
    clock.now += 1;
    assert.equal(offend({ mx1: 5 }, `192.0.2.${n}`)!.state, "active");
  }
  assert.equal(offend({ mx1: 5 })!.state, "held");
});

describe("a ban of some hosts that another host confirms", () => {
  const jail: Jail = { ...JAIL, minhosts: 2, quorum: "local-first" };
  const PER_HOST = { bansPerMinute: null, perHost: 2 };
  const addresses = [1, 2, 3, 4].map((last) => `192.0.2.${last}`);

  /** Honest hosts have banned the addresses locally; then `by` confirms them all. */
  function confirmAll(limits: { bansPerMinute: number | null; perHost: number | null }) {
    const host = setUp(limits);
    addresses.forEach((text, n) => host.offend({ [`mx${n}`]: 5 }, text, { jail }));
    host.clock.now += 1;
    const confirm = (text: string, by: string) =>
      host.offend({ [by]: 1 }, text, { jail, rule: "confirmed" });
    const all = (by: string) => addresses.map((text) => confirm(text, by));
    return { ...host, all, confirm };
  }
  const hostsOf = (bans: readonly (Ban | undefined)[]) => bans.map((ban) => ban?.hosts);

  test("counts for the host that confirms it; above its limit it stays where it is, and says why", () => {
    const { all, confirm, clock } = confirmAll(PER_HOST);
    const bans = all("liar");
    assert.deepEqual(hostsOf(bans), [undefined, undefined, ["mx2"], ["mx3"]]);
    const [, , third] = bans;
    assert.equal(third?.state, "active");
    assert.match(third.held!, /host liar has caused more than 2 bans within a minute/);
    assert.deepEqual([third.evidence.at(-1)?.host, heldBecauseOf(third)], ["liar", "liar"]);
    clock.now += 1;
    assert.equal(confirm(addresses[2]!, "liar"), undefined, "it is held already");
    const confirmed = confirm(addresses[2]!, "mx9");
    assert.deepEqual([confirmed?.hosts, confirmed?.held], [undefined, undefined]);
    clock.now += 60_000;
    assert.equal(confirm(addresses[3]!, "liar")?.hosts, undefined);
  });

  test("counts for the fleet, too, beside the ban that it confirms", () => {
    assert.deepEqual(hostsOf(confirmAll({ bansPerMinute: 6, perHost: null }).all("mx9")), [
      ...[undefined, undefined],
      ...[["mx2"], ["mx3"]],
    ]);
  });

  test("counts in a coordinator that takes over", () => {
    const host = confirmAll({ bansPerMinute: null, perHost: 4 });
    const { all, bucket, guards, makeGuard, confirm, offend } = host;
    assert.deepEqual(hostsOf(all("liar")), [undefined, undefined, undefined, undefined]);
    offend({ mx5: 5 }, "192.0.2.5", { jail });
    const next = makeGuard();
    for (const ban of bucket.values()) next.observe(ban);
    guards[0] = next;
    host.clock.now += 1;
    assert.deepEqual(confirm("192.0.2.5", "liar")?.hosts, ["mx5"]);
    assert.equal(confirm("192.0.2.5", "mx9")?.hosts, undefined);
  });

  test("is held because of a host that is distrusted, and not at all counted in quarantine", () => {
    const { confirm, distrusted, quarantined } = confirmAll(PER_HOST);
    distrusted.set("mx8", "every user of mx8 fails");
    assert.equal(confirm(addresses[0]!, "mx8")?.held, "every user of mx8 fails");
    quarantined.add("mx9");
    assert.equal(confirm(addresses[1]!, "mx9"), undefined);
  });

  test("is held still when the ban is made longer; released it is everywhere, discarded it stays", () => {
    const { all, offend, clock } = confirmAll(PER_HOST);
    const [, , third] = all("liar");
    assert.ok(third);
    clock.now += 1;
    const longer = offend({ mx2: 5 }, third.address, { jail })!;
    assert.deepEqual(
      [longer.until! > third.until!, longer.hosts, longer.held, heldBecauseOf(longer)],
      [true, ["mx2"], third.held, "liar"],
    );
    const change = { now: clock.now + 1, id: randomUUID() };
    assert.equal(awaitsRelease(longer, change.now), true);
    const released = releaseBan(longer, "operator alice", change)!;
    assert.deepEqual(
      [released.state, released.hosts, released.held, released.startsAt],
      ["active", undefined, undefined, longer.startsAt],
    );
    const dropped = discardBan(longer, { by: "operator alice", reason: "x" }, change)!;
    assert.deepEqual(
      [dropped.state, dropped.hosts, dropped.held, dropped.reason],
      ["active", ["mx2"], undefined, longer.reason],
    );
    // The failure of the liar, told again by a coordinator that starts, confirms nothing.
    const told = { at: third.countedUntil!, attempts: 1 };
    assert.equal(confirmingOffence(dropped, "liar", told), undefined);
    // It was in force, so it is an earlier ban when it has ended.
    const expired = expireBan(longer, { now: longer.until!, id: randomUUID() })!;
    assert.deepEqual([expired.held, bansBefore(expired, { now: longer.until! })], [undefined, 1]);
  });
});

test("an address that offends again while it is held is banned when there is room, as one offence", () => {
  const { offend, clock } = setUp();
  for (let n = 0; n < 4; n += 1) offend({ mx1: 5 });
  clock.now += 1;
  const first = offend({ mx1: 5 }, "192.0.2.1")!;
  clock.now += 1;
  const second = offend({ mx1: 5 }, "192.0.2.1")!;
  assert.deepEqual([second.state, second.startsAt, second.offence], ["held", first.startsAt, 1]);
  clock.now += 60_000;
  const third = offend({ mx1: 5 }, "192.0.2.1")!;
  assert.deepEqual([third.state, third.startsAt, third.offence], ["active", clock.now, 1]);
  assert.equal(third.held, undefined);
});

test("nothing is banned or held on the word of a host in quarantine; distrust holds all that it causes", () => {
  const { offend, quarantined, distrusted } = setUp();
  quarantined.add("mx1");
  assert.equal(offend({ mx2: 4, mx1: 1 }), undefined);
  distrusted.set("mx3", "every user of mx3 fails");
  assert.equal(offend({ mx3: 5 })!.held, "every user of mx3 fails");
  assert.equal(offend({ mx3: 1, mx2: 4 })!.state, "active");
});

test("a held ban is in force nowhere, ends by itself, is released for its rest or dropped", () => {
  const { offend, clock, distrusted } = setUp();
  distrusted.set("mx1", "it lies");
  const held = offend({ mx1: 5 }, "192.0.2.1")!;
  const change = (seconds: number) => ({ now: START + seconds * 1000, id: randomUUID() });
  assert.equal(isInForce(held, START + 1), false);
  assert.equal(isHeld(held, START + 1), true);
  assert.equal(isOver(held, START + 1e12, 1, 0), false);
  assert.equal(expireBan(held, change(1199)), undefined);
  assert.equal(expireBan(held, change(1200))?.state, "expired");
  const released = releaseBan(held, "operator alice", change(600))!;
  assert.deepEqual(
    [released.state, released.startsAt, released.until, released.by, released.held],
    ["active", START + 600_000, held.until, "operator alice", undefined],
  );
  assert.equal(releaseBan(held, "operator alice", change(1200)), undefined);
  const dropped = discardBan(held, { by: "operator alice", reason: "mx1 lies" }, change(600))!;
  assert.deepEqual([dropped.state, dropped.immuneUntil], ["lifted", START + 600_000]);
  // The same offence, told again by a coordinator that starts, brings nothing back.
  clock.now = START + 700_000;
  const again = { address: held.address, at: START, since: START, hosts: new Map([["mx1", 5]]) };
  assert.equal(banForOffence(dropped, JAIL, again, change(700)), undefined);
});
