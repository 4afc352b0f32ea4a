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
import { createBannedNetworks } from "../../../services/policy/banned-networks.ts";
import type { Offence } from "../../../services/policy/sliding-window.ts";
import {
  overlaps,
  parseAddress,
  parseNetwork,
  type Address,
} from "../../../services/wire/address.ts";
import {
  countedUntil,
  decodeBan,
  encodeBan,
  isInForce,
  type Ban,
} from "../../../services/wire/ban.ts";
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
  let startsAt = -Infinity;
  /** Have failures brought the ban, and has nobody lifted it? Then it counts for its network. */
  let isCounted = false;
  let wasCounted = false;
  const isBanned = (now: number) => end > now && !isAllowed;

  function noteOffence(at: number, now: number): void {
    const until = at + BANTIME * SECOND;
    const counts = at > answered && at > immune && !isAllowed;
    // The longest wins.
    if (!counts || until <= now || (isBanned(now) && until <= end)) return;
    if (!isBanned(now)) startsAt = now;
    isCounted = true;
    end = until;
    answered = at;
  }

  return {
    isBanned,
    isAllowed: () => isAllowed,
    end: () => end,
    /** When the ban has begun that counts for its network. */
    countedSince: () => (isCounted ? startsAt : undefined),
    /** Failures up to then do not count. */
    answered: () => Math.max(answered, immune),
    noteOffence,
    tell(event: Event, now: number): void {
      switch (event.type) {
        case "offence":
          noteOffence(now - event.ago * SECOND, now);
          return;
        case "ban": {
          if (isAllowed) return;
          const wanted = event.seconds === null ? Infinity : now + event.seconds * SECOND;
          if (!isBanned(now)) {
            isCounted = false;
            startsAt = now;
          }
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
          isCounted = false;
          return;
        case "allow":
          wasCounted = isBanned(now) && isCounted;
          if (isBanned(now)) isCounted = false;
          isAllowed = true;
          return;
        case "unallow":
          isAllowed = false;
          if (isBanned(now)) isCounted ||= wasCounted;
          return;
        case "expire":
          return;
      }
    },
  };
}

/** The product: one entry of the bucket. */
function createEntry(address: Address) {
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
    /** What brings a ban of the network. */
    noteOffence(offence: Offence, now: number): void {
      if (!isAllowed) present = banForOffence(present, jail, offence, change(now)) ?? present;
    },
    /** Returns what was written. */
    tell(event: Event, now: number): Ban | undefined {
      const written = next(event, now);
      if (written) present = written;
      return written;
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
      const [model, entry] = [createModel(), createEntry(address)];
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

const ESCALATION = { prefix4: 24, prefix6: 48, addresses: 2, findtime: 1_000 };
const network = parseNetwork("198.51.100.0/24")!;
const addresses = [1, 2, 3].map((last) => parseAddress(`198.51.100.${last}`)!);
const places = [...addresses, network];
const networkStory = fc.array(
  fc.record({ passes: fc.nat(300), place: fc.constantFrom(...places), event }),
  { maxLength: 40 },
);

/** The sentence: so many banned addresses within findtime, that no ban of the network answers. */
function isNetworkDue(
  models: ReadonlyMap<Address, ReturnType<typeof createModel>>,
  place: Address,
): boolean {
  const own = models.get(place)?.countedSince();
  if (own === undefined) return false;
  const answered = models.get(network)!.answered();
  const starts = addresses.flatMap((each) => models.get(each)?.countedSince() ?? []);
  const isWithin = (at: number, end: number) =>
    at <= end && at > end - ESCALATION.findtime * SECOND;
  return starts
    .filter((end) => end >= own && isWithin(own, end))
    .some((end) => {
      const counted = starts.filter((at) => isWithin(at, end) && at > answered);
      return counted.length >= ESCALATION.addresses;
    });
}

test("a network and its addresses are banned as each has earned, and lifting one leaves the other", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(networkStory, (steps) => {
      const models = new Map(places.map((place) => [place, createModel()]));
      const entries = new Map(places.map((place) => [place, createEntry(place)]));
      const networks = createBannedNetworks(ESCALATION);
      const allowed = new Set<Address>();
      const countedUntilOf = (place: Address) => {
        const ban = entries.get(place)?.present();
        return ban ? countedUntil(ban) : -Infinity;
      };
      const isAllowed = (place: Address) => [...allowed].some((entry) => overlaps(entry, place));

      function tell(place: Address, event: Event, now: number): void {
        models.get(place)!.tell(event, now);
        const written = entries.get(place)!.tell(event, now);
        if (!written || place === network) return;
        const offence = networks.note(written, countedUntilOf);
        assert.equal(offence !== undefined, isNetworkDue(models, place));
        if (!offence) return;
        assert.equal(offence.address, network);
        models.get(network)!.noteOffence(offence.at, now);
        entries.get(network)!.noteOffence(offence, now);
        seen.add("a network is due");
      }

      let now = T0;
      for (const { passes, place, event } of steps) {
        now += passes * SECOND;
        if (event.type === "offence" && place === network) continue;
        if (event.type === "allow" || event.type === "unallow") {
          const before = new Map(places.map((each) => [each, isAllowed(each)]));
          if (event.type === "allow") allowed.add(place);
          else allowed.delete(place);
          for (const each of places) {
            if (isAllowed(each) !== before.get(each)) tell(each, event, now);
          }
        } else tell(place, event, now);
        for (const each of places) {
          const [ban, model] = [entries.get(each)!.present(), models.get(each)!];
          assert.equal(ban !== undefined && isInForce(ban, now), model.isBanned(now), each);
          if (ban && model.isBanned(now)) assert.equal(ban.until ?? Infinity, model.end(), each);
        }
        const isOut = models.get(network)!.isBanned(now);
        const isOwn = addresses.some((each) => models.get(each)!.isBanned(now));
        seen.add(`${event.type}: network ${isOut}, addresses ${isOwn}`);
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(seen.has("a network is due"));
  for (const both of ["true, addresses true", "true, addresses false", "false, addresses true"]) {
    assert.ok(seen.has(`unban: network ${both}`), both);
  }
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
