import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { aggregate } from "../../../../services/cli/lists/aggregate.ts";
import { parseList } from "../../../../services/cli/lists/parse-list.ts";
import {
  canAggregate,
  WRITTEN_FORMATS,
  writeList,
  type WrittenEntry,
  type WrittenFormat,
} from "../../../../services/cli/lists/write-list.ts";
import { contains, overlaps, parseNetwork } from "../../../../services/wire/address.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const parsed = (text: string) => parseNetwork(text)!;
const entry = (address: string, more: Partial<WrittenEntry> = {}): WrittenEntry => ({
  ...{ address: parsed(address), jail: "dovecot", since: NOW, until: NOW + 3_600_000 },
  ...{ by: "decider", reason: '=1+1, "x"\ny', ...more },
});
const ENTRIES = [
  entry("198.51.100.7"),
  entry("198.51.100.6", { until: null }),
  entry("2001:db8::/48"),
];
type Bare = Exclude<WrittenFormat, "json">;
const write = (format: Bare, aggregates = false, kind: "bans" | "allowed" = "bans") =>
  writeList(ENTRIES, { format, kind, aggregates, now: NOW });

test("formats of other programs have a line for each address", () => {
  assert.deepEqual(write("plain"), ["198.51.100.7", "198.51.100.6", "2001:db8::/48"]);
  assert.deepEqual(write("cidr", true), ["198.51.100.6/31", "2001:db8::/48"]);
  assert.deepEqual(write("nginx")[0], "deny 198.51.100.7;");
  assert.deepEqual(write("nginx", true, "allowed"), [
    ...["allow 198.51.100.6/31;", "allow 2001:db8::/48;"],
  ]);
  assert.deepEqual(write("haproxy", true), ["198.51.100.6/31", "2001:db8::/48"]);
  assert.deepEqual(write("postscreen").slice(0, 1), ["198.51.100.7/32 reject"]);
  assert.deepEqual(write("mikrotik"), [
    "/ip firewall address-list",
    "remove [find where list=fleetban]",
    "add list=fleetban address=198.51.100.7 timeout=3600s",
    "add list=fleetban address=198.51.100.6",
    "/ipv6 firewall address-list",
    "remove [find where list=fleetban]",
    "add list=fleetban address=2001:db8::/48 timeout=3600s",
  ]);
});

test("csv, cscli and fail2ban are read again as they were written", () => {
  const read = (format: Bare) => parseList(write(format).join("\n"), undefined, NOW);
  for (const format of ["csv", "cscli", "fail2ban", "plain", "cidr"] as const) {
    const { entries, faults } = read(format);
    assert.deepEqual(faults, [], format);
    assert.deepEqual(
      entries.map(({ address }) => address),
      ENTRIES.map(({ address }) => address),
      format,
    );
  }
  const [first, second] = read("csv").entries;
  assert.deepEqual(first, {
    ...{ address: "198.51.100.7", jail: "dovecot", until: NOW + 3_600_000, reason: '=1+1, "x"\ny' },
  });
  assert.equal(second?.until, null);
  assert.equal(read("cscli").entries[0]?.seconds, 3_600);
});

test("only formats that have nothing but addresses can join them", () => {
  assert.deepEqual(
    WRITTEN_FORMATS.filter((format) => !canAggregate(format)),
    ["csv", "json", "fail2ban", "cscli"],
  );
});

/** Of few bits, so that most lie beside or within another. */
const addresses = fc.array(
  fc
    .tuple(fc.constantFrom("10.0.0.", "2001:db8::"), fc.nat(15), fc.integer({ min: 0, max: 5 }))
    .map(([base, last, less]) => {
      const spelled = `${base}${base.includes(":") ? last.toString(16) : last}`;
      return parsed(`${spelled}/${(base.includes(":") ? 128 : 32) - less}`);
    }),
  { maxLength: 20 },
);

test("aggregated networks hold exactly the same addresses, and no two of them could be one", () => {
  const all = ["10.0.0.", "2001:db8::"].flatMap((base) =>
    Array.from({ length: 40 }, (_, n) =>
      parsed(`${base}${base.includes(":") ? n.toString(16) : n}`),
    ),
  );
  fc.assert(
    fc.property(addresses, (given) => {
      const found = aggregate(given);
      for (const address of all) {
        const isIn = (list: readonly (typeof address)[]) =>
          list.some((each) => contains(each, address));
        assert.equal(isIn(found), isIn(given), address);
      }
      assert.ok(found.every((a) => found.every((b) => a === b || !overlaps(a, b))));
      assert.deepEqual(aggregate(found), found);
    }),
    { numRuns: 200 },
  );
});
