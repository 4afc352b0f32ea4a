import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import {
  localClock,
  readIsoStamp,
  readMonthStamp,
} from "../../../../services/detection/lines/timestamp.ts";

const read = (text: string, receivedAt: string) => {
  const at = readMonthStamp(text, localClock(Date.parse(receivedAt)))?.at;
  return at === undefined ? undefined : new Date(at).toISOString();
};

describe("on a host in Berlin", () => {
  const zone = process.env["TZ"];
  before(() => {
    process.env["TZ"] = "Europe/Berlin";
  });
  after(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  test("a stamp without a year is of the last such day, or of one that begins elsewhere already", () => {
    assert.equal(read("Dec 31 23:59:58", "2026-12-31T23:00:05Z"), "2026-12-31T22:59:58.000Z");
    assert.equal(read("Dec 31 23:59:58", "2027-01-03T10:00:00Z"), "2026-12-31T22:59:58.000Z");
    assert.equal(read("Jan  1 00:00:03", "2026-12-31T22:59:58Z"), "2026-12-31T23:00:03.000Z");
    assert.equal(read("Feb 29 12:00:00", "2028-03-01T10:00:00Z"), "2028-02-29T11:00:00.000Z");
  });

  test("the hour that comes twice is the one that it is now", () => {
    assert.equal(read("Oct 25 02:30:00", "2026-10-25T00:30:01Z"), "2026-10-25T00:30:00.000Z");
    assert.equal(read("Oct 25 02:30:00", "2026-10-25T01:30:01Z"), "2026-10-25T01:30:00.000Z");
    assert.equal(read("Oct 25 03:00:00", "2026-10-25T02:00:01Z"), "2026-10-25T02:00:00.000Z");
  });

  test("the hour that comes twice is told in any stamp without a zone", () => {
    for (const [stamp, receivedAt, expected] of [
      ["2026-10-25 02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00.000Z"],
      ["2026-10-25 02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.000Z"],
      ["2026-10-25T02:30:00.25", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.250Z"],
      ["25.10.2026 02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00.000Z"],
      ["25.10.2026 02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.000Z"],
      ["25/Oct/2026:02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00.000Z"],
      [
        "Sun 2026-10-25 02:30:00 CET mx1 dovecot:",
        "2026-10-25T01:30:01Z",
        "2026-10-25T01:30:00.000Z",
      ],
    ] as const) {
      const { at } = readLine(`${stamp} imap-login: Info: Login: x`, Date.parse(receivedAt));
      assert.equal(at === undefined ? stamp : new Date(at).toISOString(), expected, stamp);
    }
  });

  test("the hour that is left out leaves no gap between stamps", () => {
    assert.equal(read("Mar 29 01:59:59", "2026-03-29T01:00:00Z"), "2026-03-29T00:59:59.000Z");
    assert.equal(read("Mar 29 03:00:00", "2026-03-29T01:00:01Z"), "2026-03-29T01:00:00.000Z");
  });

  test("a stamp with a zone is of that zone, wherever it is read", () => {
    for (const [text, expected] of [
      ["2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00.000Z"],
      ["2026-10-25T02:30:00.25+0100", "2026-10-25T01:30:00.250Z"],
      ["2026-10-25T02:30:00-03:30", "2026-10-25T06:00:00.000Z"],
      ["2026-10-25T02:30:00Z", "2026-10-25T02:30:00.000Z"],
    ] as const) {
      assert.equal(new Date(readIsoStamp(text, localClock(0))?.at ?? 0).toISOString(), expected);
    }
  });
});
