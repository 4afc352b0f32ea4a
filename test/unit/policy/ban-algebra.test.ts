/**
 * The ban algebra against its sentences. The model is the plain reading: a ban is an end, failures
 * are answered up to an instant, and an address is on the allowlist or not. Whatever happens in
 * whatever order, the entry of the bucket must say the same, also after a coordinator has read all
 * failures again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  banByOperator,
  banForOffence,
  expireBan,
  liftBan,
} from "../../../services/policy/ban-lifecycle.ts";
import { settleAllowed } from "../../../services/policy/spared-ban.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, isInForce, type Ban } from "../../../services/wire/ban.ts";
import type { Jail } from "../../../services/wire/settings.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const BANTIME = 1200;
const address = parseAddress("198.51.100.7")!;
const jail: Jail = {
  ...{ v: 1, name: "dovecot", ports: [110, 995, 143, 993] },
  ...{ maxretry: 5, findtime: 1200, bantime: BANTIME },
};
const ALLOWED = { address, by: "operator alice" };
const words = { by: "operator alice", reason: "seen elsewhere" };

type Event =
  | { type: "offence"; ago: number }
  | { type: "ban"; seconds: number | null; replace: boolean }
  | { type: "unban"; immunity: number }
  | { type: "allow" }
  | { type: "unallow" }
  | { type: "expire" };

const seconds = fc.integer({ min: 1, max: 4_000 });
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("offence"), ago: fc.nat({ max: 600 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("ban"),
      seconds: fc.option(seconds, { freq: 5, nil: null }),
      replace: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("unban"), immunity: fc.nat(2_000) }) },
  { weight: 1, arbitrary: fc.constant({ type: "allow" }) },
  { weight: 1, arbitrary: fc.constant({ type: "unallow" }) },
  { weight: 1, arbitrary: fc.constant({ type: "expire" }) },
);
const story = fc.array(fc.record({ passes: fc.nat(900), event }), { maxLength: 25 });

/** The sentences, with no state but what they speak of. */
function createModel() {
  let end = -Infinity;
  let answered = -Infinity;
  let immune = -Infinity;
  let isAllowed = false;
  const isBanned = (now: number) => end > now && !isAllowed;
  return {
    isBanned,
    isAllowed: () => isAllowed,
    end: () => end,
    tell(event: Event, now: number): void {
      switch (event.type) {
        case "offence": {
          const at = now - event.ago * SECOND;
          const counts = at > answered && at > immune && !isAllowed;
          // The longest wins.
          if (counts && at + BANTIME * SECOND > now) end = Math.max(end, at + BANTIME * SECOND);
          return;
        }
        case "ban": {
          if (isAllowed) return;
          const wanted = event.seconds === null ? Infinity : now + event.seconds * SECOND;
          end = event.replace ? wanted : Math.max(end, wanted);
          // What was forgiven stays forgiven, and a replacement ends when the operator says so.
          answered = event.replace ? now : Math.max(answered, Math.min(immune, now));
          immune = -Infinity;
          return;
        }
        case "unban":
          if (!isBanned(now)) return;
          end = -Infinity;
          immune = now + event.immunity * SECOND;
          return;
        case "allow":
          isAllowed = true;
          return;
        case "unallow":
          isAllowed = false;
          return;
        case "expire":
          return;
      }
    },
  };
}

/** The product: one entry of the bucket. */
function createEntry() {
  let present: Ban | undefined;
  let count = 0;
  let isAllowed = false;
  const change = (now: number) => {
    count += 1;
    return { now, id: `00000000-0000-4000-8000-${String(count).padStart(12, "0")}` };
  };
  const offences: number[] = [];
  const offence = (at: number) => {
    return { address, at, since: at - 1, hosts: new Map([["mx1", 5]]) };
  };
  const next = (event: Event, now: number): Ban | undefined => {
    switch (event.type) {
      case "offence": {
        if (isAllowed) return undefined;
        const at = now - event.ago * SECOND;
        offences.push(at);
        return banForOffence(present, jail, offence(at), change(now));
      }
      case "ban": {
        if (isAllowed) return undefined;
        const order = { jail, address, ...words, seconds: event.seconds, replace: event.replace };
        return banByOperator(present, order, change(now));
      }
      case "unban": {
        const order = { ...words, immunity: event.immunity };
        return present && isInForce(present, now)
          ? liftBan(present, order, change(now))
          : undefined;
      }
      case "allow":
      case "unallow":
        isAllowed = event.type === "allow";
        return settleAllowed(present, isAllowed ? ALLOWED : undefined, change(now));
      case "expire":
        return present && expireBan(present, change(now));
    }
  };
  return {
    present: () => present,
    tell(event: Event, now: number): void {
      const written = next(event, now);
      if (written) present = written;
    },
    /** What a coordinator that reads every failure again would write. */
    readAgain: (now: number) =>
      isAllowed
        ? []
        : offences.flatMap((at) => banForOffence(present, jail, offence(at), change(now)) ?? []),
  };
}

test("whatever happens, the ban ends when the sentences of the algebra say", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(story, (events) => {
      const [model, entry] = [createModel(), createEntry()];
      let now = T0;
      for (const { passes, event } of events) {
        now += passes * SECOND;
        model.tell(event, now);
        entry.tell(event, now);
        const ban = entry.present();
        assert.equal(ban !== undefined && isInForce(ban, now), model.isBanned(now));
        if (ban && model.isBanned(now)) assert.equal(ban.until ?? Infinity, model.end());
        for (const again of entry.readAgain(now)) {
          assert.equal(again.until, ban?.until, "failures that are read again change the end");
          assert.ok(ban && isInForce(ban, now), "failures that are read again ban again");
        }
        seen.add(`${event.type} ${model.isBanned(now) ? "banned" : "free"}`);
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(seen.size >= 10, "every kind of event has met both states");
});

test("a ban that the allowlist has lifted comes back as what it was, by whom it was", () => {
  const change = (now: number) => ({ now, id: "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d" });
  const order = { jail, address, ...words, seconds: 600, replace: false };
  const active = banByOperator(undefined, order, change(T0))!;
  const held: Ban = { ...active, state: "held", held: "too many bans", by: "decider" };
  for (const ban of [active, held]) {
    const spared = settleAllowed(ban, ALLOWED, change(T0 + SECOND))!;
    assert.deepEqual([spared.state, spared.by], ["lifted", "operator alice"]);
    assert.equal(spared.reason, "198.51.100.7 was put on the allowlist");
    assert.deepEqual(decodeBan(encodeBan(spared), "dovecot.198-51-100-7"), spared);
    assert.equal(settleAllowed(spared, ALLOWED, change(T0 + 2 * SECOND)), undefined);
    const back = settleAllowed(spared, undefined, change(T0 + 2 * SECOND));
    assert.deepEqual(back, { ...ban, changedAt: T0 + 2 * SECOND });
    assert.equal(settleAllowed(spared, undefined, change(T0 + 600 * SECOND)), undefined);
  }
  const lifted = liftBan(active, { ...words, immunity: 0 }, change(T0 + 1));
  assert.equal(settleAllowed(lifted, undefined, change(T0 + 2)), undefined);
});
