import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { localClock } from "../../../../services/detection/lines/timestamp.ts";
import { findDate } from "../../../../services/detection/lines/find-date.ts";
import { compileDatePattern } from "../../../../services/detection/filter/date-pattern.ts";

const NOW = new Date(2026, 10, 24, 12, 0, 0).getTime();
const CLOCK = localClock(NOW);
type Parts = [number, number, number, number?, number?, number?, number?];
const local = (...[year, month, ...parts]: Parts) => new Date(year, month - 1, ...parts).getTime();
const utc = (...[year, month, ...parts]: Parts) => Date.UTC(year, month - 1, ...parts);

describe("without a pattern, the date of a line", () => {
  for (const [line, at, rest] of [
    ["2026-11-23T21:59:30.121+01:00 x", utc(2026, 11, 23, 20, 59, 30, 121), " x"],
    ["2019-11-26 01:04:49.008 +08:00 [WRN] x", utc(2019, 11, 25, 17, 4, 49, 8), " [WRN] x"],
    ["2026-11-23 21:59:30 UTC x", utc(2026, 11, 23, 21, 59, 30), " x"],
    ["2012/04/09  1:53:29 x", local(2012, 4, 9, 1, 53, 29), " x"],
    ["Tue Jul 22 06:48:30.123 2008 x", local(2008, 7, 22, 6, 48, 30, 123), " x"],
    ["Jul  3 20:56:53 2021 x", local(2021, 7, 3, 20, 56, 53), " x"],
    ["Jul  3 20:56:53 2hosts x", local(2026, 7, 3, 20, 56, 53), " 2hosts x"],
    ["Oct 27 2015 12:35:40 x", local(2015, 10, 27, 12, 35, 40), " x"],
    ["23/01/15 21:59:59 x", local(2015, 1, 23, 21, 59, 59), " x"],
    ["[20/Jan/2015:19:53:28 +0100] x", utc(2015, 1, 20, 18, 53, 28), "[] x"],
    [
      "192.0.2.1 - [20/Jan/2015:19:53:28 +0100] x",
      utc(2015, 1, 20, 18, 53, 28),
      "192.0.2.1 - [] x",
    ],
    ["05/20/2008:01:57:39 x", local(2008, 5, 20, 1, 57, 39), " x"],
    ["01-27-2012 16:22:44.252 x", local(2012, 1, 27, 16, 22, 44, 252), " x"],
    ["1386543323.250 x", 1_386_543_323_250, " x"],
    ["[1386543323] x", 1_386_543_323_000, "[] x"],
    ["type=X msg=audit(1386543323.250:17): x", 1_386_543_323_250, "type=X msg=audit(:17): x"],
    ["11:22:44 x", local(2026, 11, 24, 11, 22, 44), " x"],
    ["13:22:44 x", local(2026, 11, 23, 13, 22, 44), " x"],
    ["<09/16/08@05:03:30> x", local(2008, 9, 16, 5, 3, 30), " x"],
    ["130322 11:46:11 x", local(2013, 3, 22, 11, 46, 11), " x"],
    ["130322  1:46:11 x", local(2013, 3, 22, 1, 46, 11), " x"],
    ["Aug 23, 2017 12:17:35 AM x", local(2017, 8, 23, 0, 17, 35), " x"],
    ["Aug 23, 2017 8:17:35 PM x", local(2017, 8, 23, 20, 17, 35), " x"],
    ["Apr-27-13 02:33:06 x", local(2013, 4, 27, 2, 33, 6), " x"],
    ["20050123T215959 x", local(2005, 1, 23, 21, 59, 59), " x"],
    ["[PDT Apr 16 21:05:29] x", utc(2026, 4, 17, 4, 5, 29), "[] x"],
    ["+02:00 Jan 23 21:59:59 2005 x", utc(2005, 1, 23, 19, 59, 59), " x"],
    ["@4000000052f2d8a63a1c2b3c x", 1_391_646_876_974, " x"],
  ] as const) {
    test(`is taken off ${line}`, () => {
      const found = findDate(line, CLOCK);
      assert.ok(found);
      assert.equal(new Date(found.at).toISOString(), new Date(at).toISOString());
      assert.equal(line.slice(0, found.from) + line.slice(found.to), rest);
    });
  }

  for (const line of [
    "x",
    "version 1.2.3.4:56",
    "1234567890123 x",
    "Jul  3 20:56:53x y",
    "2026-11-23T21:59:30Zx y",
    "20/Foo/2015:19:53:28 x",
    "x 2026-13-41 25:00:00",
    `${"x".repeat(130)} 2026-11-23 21:59:30`,
  ]) {
    test(`is not found in ${line.slice(0, 40)}`, () => {
      assert.equal(findDate(line, CLOCK), undefined);
    });
  }

  test("is the first one, not what somebody wrote behind it", () => {
    const line = "x [20/Jan/2015:19:53:28 +0100] GET /2026-11-23 21:59:30";
    assert.equal(findDate(line, CLOCK)?.at, utc(2015, 1, 20, 18, 53, 28));
  });

  test("leaves the line whole around it, whatever that is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (line) => {
        const found = findDate(line, CLOCK);
        if (!found) return;
        assert.ok(found.from >= 0 && found.to > found.from && found.to <= line.length);
        assert.ok(Number.isFinite(found.at));
      }),
    );
  });
});

describe("a datepattern", () => {
  const take = (pattern: string, line: string) => {
    const found = compileDatePattern(pattern)(line, CLOCK);
    return found && { at: found.at, rest: line.slice(0, found.from) + line.slice(found.to) };
  };

  for (const [pattern, line, at, rest] of [
    ["^%Y:%m:%d-%H:%M:%S", "2014:07:02-00:17:45: x", local(2014, 7, 2, 0, 17, 45), ": x"],
    ["^L %d/%m/%Y - %H:%M:%S", "L 01/02/2014 - 01:25:17: x", local(2014, 2, 1, 1, 25, 17), ": x"],
    [
      String.raw`^\[%d/%b/%Y %H:%M:%S\]`,
      "[17/Jun/2011 17:00:45] x",
      local(2011, 6, 17, 17, 0, 45),
      " x",
    ],
    ["^t=%Y-%m-%dT%H:%M:%S%z", "t=2020-10-19T17:44:33+0200 x", utc(2020, 10, 19, 15, 44, 33), " x"],
    ["^<W>{DATE}", "<W>2015-11-29 16:38:01.818 1", local(2015, 11, 29, 16, 38, 1, 818), " 1"],
    [
      String.raw`^[^\[]*\[({DATE})`,
      "1.2.3.4 - [20/Jan/2015:19:53:28 +0100] x",
      utc(2015, 1, 20, 18, 53, 28),
      "1.2.3.4 - [] x",
    ],
    [
      String.raw`^[^\[]*(\[{DATE}\s*\])`,
      "1.2.3.4 - [31/Jan/2015:14:29:44 ] x",
      local(2015, 1, 31, 14, 29, 44),
      "1.2.3.4 -  x",
    ],
    ["{^LN-BEG}", "[2026-11-23 21:59:30] x", local(2026, 11, 23, 21, 59, 30), "[] x"],
    ["{^LN-BEG}%Y-%m-%d", "2026-11-23 x", local(2026, 11, 23), " x"],
    [
      "{^LN-BEG}%ExY(?P<_sep>[-/.])%m(?P=_sep)%d %H:%M:%S",
      "..2026/11/23 21:59:30 x",
      local(2026, 11, 23, 21, 59, 30),
      ".. x",
    ],
    ["{^LN-BEG}Epoch", "[1386543323] x", 1_386_543_323_000, "[] x"],
    ["LEPOCH", "1386543323250 x", 1_386_543_323_250, " x"],
    ["at={EPOCH}", "x at=1386543323.500 y", 1_386_543_323_500, "x  y"],
    ["TAI64N", "x @4000000052f2d8a63a1c2b3c y", 1_391_646_876_974, "x  y"],
    [
      "%d/%b[^/]*/%Y:%H:%M:%S %z",
      "1.2.3.4 - [02/sept./2015:00:11:31 +0200] x",
      utc(2015, 9, 1, 22, 11, 31),
      "1.2.3.4 - [] x",
    ],
    ["%j %Y %H:%M", "032 2026 10:00 x", local(2026, 2, 1, 10, 0), " x"],
    ["^%H:%M\n^%Y", "2020 x", NOW, " x"],
    ["at %B %d %I:%M %p", "x at January 5 12:30 PM y", local(2026, 1, 5, 12, 30), "x  y"],
    ["{DEFAULT}", "x 2026-11-23 21:59:30 y", local(2026, 11, 23, 21, 59, 30), "x  y"],
    ["100%% %Y-%m-%d", "x 100% 2026-11-23 y", local(2026, 11, 23), "x  y"],
  ] as const) {
    test(`${JSON.stringify(pattern)} takes the date off ${line}`, () => {
      const taken = take(pattern, line);
      assert.ok(taken);
      if (pattern !== "^%H:%M\n^%Y") {
        assert.equal(new Date(taken.at).toISOString(), new Date(at).toISOString());
      }
      assert.equal(taken.rest, rest);
    });
  }

  for (const [pattern, line] of [
    ["^%Y:%m:%d-%H:%M:%S", "x 2014:07:02-00:17:45"],
    ["%Y-%m-%d", "x12026-11-23"],
    ["%Y-%m-%d", "2026-11-234"],
    ["{^LN-BEG}", "x 2026-11-23 21:59:30"],
    ["{^LN-BEG}%Y-%m-%d", "...2026-11-23"],
    ["{^LN-BEG}Epoch", "x 1386543323"],
    ["{NONE}", "2026-11-23 21:59:30"],
  ] as const) {
    test(`${pattern} finds nothing in ${line}`, () => {
      assert.equal(take(pattern, line), undefined);
    });
  }

  test("that is unbound finds a date within a word", () => {
    assert.equal(take("{UNB}%Y-%m-%d", "x2026-11-234")?.rest, "x4");
    assert.equal(take("**%Y-%m-%d**", "x2026-11-234")?.rest, "x4");
  });

  for (const [pattern, reason] of [
    ["%Y-%q", "%q: there is no such directive"],
    ["(?<=x)%Y", "(?<=x)%Y: (?<=...) looks behind: a linear-time engine cannot do it"],
    ["%Y (%m", "%Y (%m: (: its ) is missing"],
    ["%d %m %d", "%d %m %d: the group day is there twice"],
  ] as const) {
    test(`${pattern} is refused`, () => {
      assert.throws(() => compileDatePattern(pattern), { message: reason });
    });
  }
});
