import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { banByOperator, banForOffence, liftBan } from "../../../services/policy/ban-lifecycle.ts";
import { createBannedNetworks } from "../../../services/policy/banned-networks.ts";
import { networkOf, parseNetwork, type Address } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../../services/wire/ban.ts";
import { banKey } from "../../../services/wire/subjects.ts";
import { JAIL } from "../../harness/jail.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const id = "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d";
const option = { prefix4: 24, prefix6: 48, addresses: 3, findtime: 100 };
const jail = { ...JAIL, bantime: 10, network: option };
const network = (text: string): Address => parseNetwork(text)!;
const never = () => -Infinity;

function banAt(second: number, address: string, host = "mx1", before?: Ban): Ban {
  const at = T0 + second * SECOND;
  const offence = { address: network(address), at, since: at, hosts: new Map([[host, 5]]) };
  return banForOffence(before, jail, offence, { now: at, id }) ?? assert.fail("no ban");
}

describe("a network of which so many addresses are banned", () => {
  test("is banned, with the bans as its evidence", () => {
    const networks = createBannedNetworks(option);
    assert.equal(networks.note(banAt(0, "192.0.2.1"), never), undefined);
    assert.equal(networks.note(banAt(10, "192.0.2.2", "mx2"), never), undefined);
    assert.equal(networks.note(banAt(20, "198.51.100.3"), never), undefined);
    const offence = networks.note(banAt(30, "192.0.2.3"), never) ?? assert.fail("no offence");
    assert.deepEqual([offence.address, offence.at], ["192.0.2.0/24", T0 + 30 * SECOND]);
    const ban = banForOffence(undefined, jail, offence, { now: offence.at, id })!;
    assert.equal(ban.reason, "3 banned addresses on 2 hosts within 30s");
    assert.deepEqual(ban.evidence, [
      { host: "mx1", failures: 10 },
      { host: "mx2", failures: 5 },
    ]);
    assert.equal(ban.basis?.rule, "network");
    assert.equal(ban.basis.addresses?.length, 3);
    assert.deepEqual(decodeBan(encodeBan(ban), banKey("dovecot", network("192.0.2.0/24"))), ban);
  });

  test("of IPv6 counts the networks that were banned in it", () => {
    const networks = createBannedNetworks(option);
    const texts = [1, 2, 3].map((each) => `2001:db8:5:${each}::/64`);
    const found = texts.map((text, second) => networks.note(banAt(second, text), never)?.address);
    assert.deepEqual(found, [undefined, undefined, "2001:db8:5::/48"]);
  });

  test("is not banned for one address again and again, nor for bans further apart", () => {
    const networks = createBannedNetworks(option);
    for (const second of [0, 20, 40, 60]) {
      assert.equal(networks.note(banAt(second, "192.0.2.1"), never), undefined);
    }
    assert.equal(networks.note(banAt(70, "192.0.2.2"), never), undefined);
    assert.equal(networks.note(banAt(160, "192.0.2.3"), never), undefined);
    assert.ok(networks.note(banAt(169, "192.0.2.4"), never));
  });

  test("is not banned for bans that were lifted, that are held or that an operator has made", () => {
    const networks = createBannedNetworks(option);
    const lifted = banAt(0, "192.0.2.1");
    networks.note(lifted, never);
    const order = { by: "operator", reason: "", immunity: 0 };
    networks.note(liftBan(lifted, order, { now: T0 + SECOND, id }), never);
    networks.note({ ...banAt(2, "192.0.2.2"), state: "held", held: "too many" }, never);
    const command = { jail, address: network("192.0.2.3"), seconds: 60, reason: "", by: "me" };
    const change = { now: T0 + 3 * SECOND, id };
    networks.note(banByOperator(undefined, { ...command, replace: false }, change)!, never);
    assert.equal(networks.note(banAt(4, "192.0.2.4"), never), undefined);
    assert.equal(networks.note(banAt(5, "192.0.2.5"), never), undefined);
    assert.ok(networks.note(banAt(6, "192.0.2.6"), never));
  });

  test("is not banned again for what its ban has covered", () => {
    const networks = createBannedNetworks(option);
    for (const last of [1, 2, 3]) networks.note(banAt(last, `192.0.2.${last}`), never);
    const covered = () => T0 + 3 * SECOND;
    assert.equal(networks.note(banAt(3, "192.0.2.3"), covered), undefined);
    assert.equal(networks.note(banAt(4, "192.0.2.4"), covered), undefined);
  });

  test("is found whichever of its bans is seen last", () => {
    const networks = createBannedNetworks(option);
    networks.note(banAt(20, "192.0.2.2"), never);
    networks.note(banAt(30, "192.0.2.3"), never);
    const offence = networks.note(banAt(0, "192.0.2.1"), never) ?? assert.fail("no offence");
    assert.equal(offence.at, T0 + 30 * SECOND);
    assert.equal(
      networks.note(banAt(0, "192.0.2.1"), () => offence.at),
      undefined,
    );
    const apart = createBannedNetworks(option);
    for (const second of [100, 120]) apart.note(banAt(second, `192.0.2.${second}`), never);
    assert.equal(apart.note(banAt(0, "192.0.2.1"), never), undefined);
  });

  test("is found as a model finds it that forgets nothing, in whatever order bans are seen", () => {
    const step = fc.record({
      passes: fc.integer({ min: 1, max: 40 }),
      last: fc.integer({ min: 1, max: 5 }),
      third: fc.integer({ min: 2, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const networks = createBannedNetworks(option);
        const present = new Map<Address, Ban>();
        let second = 0;
        for (const { passes, last, third } of steps) {
          second += passes;
          const address = `192.0.${third}.${last}`;
          const ban = banAt(second, address, "mx1", present.get(network(address)));
          present.set(ban.address, ban);
          const around = networkOf(ban.address, 24);
          const starts = [...present.values()]
            .filter(({ address: other }) => networkOf(other, 24) === around)
            .map(({ startsAt }) => startsAt);
          // A ban that is made longer keeps its beginning: others may have begun since.
          const isFull = starts.some((end) => {
            const begin = end - option.findtime * SECOND;
            const counted = starts.filter((at) => at > begin && at <= end);
            return ban.startsAt > begin && ban.startsAt <= end && counted.length >= 3;
          });
          const found = networks.note(ban, never);
          assert.equal(found?.address, isFull ? around : undefined);
          networks.sweep(ban.startsAt);
        }
        // Another coordinator reads the bucket from its beginning, whatever the order of its keys.
        const anew = createBannedNetworks(option);
        const read = [...present.values()].reverse();
        const newest = read.toSorted((a, b) => b.startsAt - a.startsAt)[0];
        for (const ban of read) anew.note(ban, never);
        if (newest) {
          assert.equal(anew.note(newest, never)?.address, networks.note(newest, never)?.address);
        }
      }),
    );
  });
});
