import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import { parseZone, shiftedZone, type Zone } from "../../../../services/detection/lines/zone.ts";

const zoneOf = (name: string): Zone => {
  const zone = parseZone(name);
  assert.ok(zone, name);
  return zone;
};
const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
const at = (zone: Zone, text: string) => {
  const [year = 0, month = 0, ...rest] = text.split(/[-T:]/).map(Number);
  const [day = 0, hours = 0, minutes = 0, seconds = 0] = rest;
  return iso(zone.instantOf(year, month - 1, day, hours, minutes, seconds));
};

test("a zone is an IANA name or an offset, and nothing else", () => {
  for (const [name, expected] of [
    ["UTC", "2026-03-03T04:05:06.000Z"],
    ["Europe/Berlin", "2026-03-03T03:05:06.000Z"],
    ["America/New_York", "2026-03-03T09:05:06.000Z"],
    ["Asia/Kathmandu", "2026-03-02T22:20:06.000Z"],
    ["+02:00", "2026-03-03T02:05:06.000Z"],
    ["-0330", "2026-03-03T07:35:06.000Z"],
    ["UTC+2", "2026-03-03T02:05:06.000Z"],
  ] as const) {
    assert.equal(at(zoneOf(name), "2026-03-03T04:05:06"), expected, name);
  }
  for (const name of ["", "Berlin", "Europe/Berlin ", "+15:00", "+02:75", "local", "2"]) {
    assert.equal(parseZone(name), undefined, name);
  }
});

test("where summer time begins and ends, a named zone reads the clock as Date does in that zone", () => {
  const names = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "America/Sao_Paulo"];
  const times = fc.date({
    min: new Date("2015-01-01T00:00:00Z"),
    max: new Date("2030-01-01T00:00:00Z"),
    noInvalidDate: true,
  });
  const walls = fc.sample(times, 300).map((date) => date.toISOString().slice(0, 19));
  for (const day of ["2026-03-29", "2026-10-25", "2018-11-04", "2026-04-05", "2026-10-04"]) {
    for (let minutes = 0; minutes < 300; minutes += 5) {
      const clock = new Date(minutes * 60_000).toISOString().slice(11, 19);
      walls.push(`${day}T${clock}`);
    }
  }
  for (const name of names) {
    const script = `for (const wall of ${JSON.stringify(walls)}) console.log(new Date(wall).toISOString())`;
    const env = { ...process.env, TZ: name };
    const output = execFileSync(process.execPath, ["-e", script], { env, encoding: "utf8" });
    const zone = zoneOf(name);
    assert.deepEqual(walls.map((wall) => at(zone, wall)).join("\n"), output.trim(), name);
  }
});

test("in a named zone the hour that comes twice is the one that it is now", () => {
  const log = { zone: zoneOf("Europe/Berlin"), writers: "dovecot" } as const;
  for (const [stamp, receivedAt, expected] of [
    ["Oct 25 02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00.000Z"],
    ["Oct 25 02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.000Z"],
    ["Oct 25 02:45:00", "2026-10-25T01:45:01Z", "2026-10-25T01:45:00.000Z"],
    ["Oct 25 03:00:00", "2026-10-25T02:00:01Z", "2026-10-25T02:00:00.000Z"],
  ] as const) {
    const { at } = readLine(`${stamp} imap-login: Info: Login: x`, Date.parse(receivedAt), log);
    assert.equal(iso(at), expected, receivedAt);
  }
});

test("a shifted zone's clock is set by as much", () => {
  const zone = shiftedZone(zoneOf("UTC"), 5 * 3_600_000);
  assert.equal(at(zone, "2026-03-03T04:05:06"), "2026-03-03T09:05:06.000Z");
});

describe("the time of a line is read in the zone of its log", () => {
  const NOW = Date.parse("2026-11-24T12:00:00Z");
  const tail = "mx1 dovecot: auth: passwd-file(bob,198.51.100.7): Password mismatch";
  const own = "imap-login: Info: Login: x";
  const tokyo = zoneOf("Asia/Tokyo");
  for (const [line, expected, hasZone] of [
    [`Nov 24 20:59:00 ${tail}`, "2026-11-24T11:59:00.000Z", false],
    [`2026-11-24 20:59:00 ${tail}`, "2026-11-24T11:59:00.000Z", false],
    [`2026-11-24T12:59:00+01:00 ${tail}`, "2026-11-24T11:59:00.000Z", true],
    [`24.11.2026 20:59:00 ${own}`, "2026-11-24T11:59:00.000Z", false],
    [`20:59:00 ${own}`, "2026-11-24T11:59:00.000Z", false],
    // An exact time around it counts more than an inner stamp without a zone, also of minutes ago.
    [
      JSON.stringify({ log: `Nov 24 20:59:00 ${own}\n`, time: "2026-11-24T11:58:00.5Z" }),
      "2026-11-24T11:58:00.500Z",
      true,
    ],
    [JSON.stringify({ message: own, time: "1795521480" }), "2026-11-24T11:58:00.000Z", true],
    [JSON.stringify({ message: own, timestamp: 1795521480.5 }), "2026-11-24T11:58:00.500Z", true],
    [JSON.stringify({ message: own, time: "1795521480500" }), "2026-11-24T11:58:00.500Z", true],
    [`2026-11-24T11:58:00Z stderr F Nov 24 20:59:00 ${own}`, "2026-11-24T11:58:00.000Z", true],
    [
      JSON.stringify({
        MESSAGE: `Nov 24 20:59:00 ${own}`,
        __REALTIME_TIMESTAMP: "1795521480500000",
      }),
      "2026-11-24T11:58:00.500Z",
      true,
    ],
    // A stamp with a zone counts more than the time at which a collector has read it.
    [
      JSON.stringify({
        message: `2026-11-24T12:50:00+01:00 ${tail}`,
        "@timestamp": "2026-11-24T11:58:00Z",
      }),
      "2026-11-24T11:50:00.000Z",
      true,
    ],
    [own, undefined, false],
  ] as const) {
    test(line.slice(0, 70), () => {
      const reading = readLine(line, NOW, { zone: tokyo, writers: "dovecot" });
      assert.equal(iso(reading.at), expected);
      assert.equal(reading.hasZone, hasZone);
    });
  }
});
