import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  compileFilter,
  FilterError,
  type FilterRules,
} from "../../../../services/detection/filter/filter.ts";
import {
  countFiltered,
  createFilterDetector,
  readFiltered,
} from "../../../../services/detection/filter/filter-detector.ts";
import { translateRegex } from "../../../../services/detection/filter/python-regex.ts";

const NOW = Date.UTC(2026, 10, 24, 12);
/** The filter that mail administrators come from. */
const PAM = String.raw`dovecot.*pam_unix.*(?:authentication failure).*rhost=(?:::f{4,6}:)?(?P<host>\S*)`;

const match = (failregex: string, line: string) =>
  compileFilter({ failregex: [failregex] }).match(line);

/** What it says of rules that cannot be used. */
function faultsOf(rules: FilterRules): string[] {
  try {
    compileFilter(rules);
    return [];
  } catch (error) {
    if (error instanceof FilterError) return error.message.split("\n");
    throw error;
  }
}

describe("a custom filter", () => {
  test("of fail2ban counts three lines of one attempt once", () => {
    const lines = `Mar  3 18:00:01 mx1 dovecot(pam_unix)[26236]: check pass; user unknown
Mar  3 18:00:01 mx1 dovecot(pam_unix)[26236]: authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=info@example.com rhost=198.51.100.7
Mar  3 18:00:01 mx1 PAM-warn[26236]: function=[pam_sm_authenticate] service=[dovecot] terminal=[dovecot] user=[info@example.com] ruser=[info@example.com] rhost=[198.51.100.7]
`;
    const detector = createFilterDetector(compileFilter({ failregex: [PAM] }));
    const failures = detector.feed(Buffer.from(lines), 1000, NOW);
    assert.deepEqual(failures, [
      {
        address: "198.51.100.7",
        at: new Date(2026, 2, 3, 18, 0, 1).getTime(),
        attempts: 1,
        form: "failregex-1",
        user: undefined,
        service: undefined,
        session: undefined,
        position: 1000 + lines.indexOf("\n", lines.indexOf("rhost=198")) + 1,
        provisional: undefined,
      },
    ]);
  });

  for (const [tag, line, address] of [
    ["<HOST>", "from 192.0.2.1 port", "192.0.2.1"],
    ["<HOST>", "from 2001:DB8::1 port", "2001:db8::1"],
    ["<HOST>", "from [2001:db8::1] port", "2001:db8::1"],
    ["<HOST>", "from ::ffff:192.0.2.1 port", "192.0.2.1"],
    ["<HOST>", "from mail.example.org port", undefined],
    ["<ADDR>", "from ::1 port", "::1"],
    ["<ADDR>", "from mail.example.org port", undefined],
    ["<IP4>", "from 192.0.2.1 port", "192.0.2.1"],
    ["<IP4>", "from 2001:db8::1 port", undefined],
    ["<IP6>", "from 2001:db8::1 port", "2001:db8::1"],
    ["<ADDR>/<CIDR>", "from 192.0.2.1/32 port", "192.0.2.1"],
    ["<SUBNET>", "from 192.0.2.0/24 port", "192.0.2.0"],
    [String.raw`(?P<host>\S+)`, "from 192.0.2.1 port", "192.0.2.1"],
    [String.raw`(?P<host>\S+)`, "from 999.0.2.1 port", undefined],
    ["<F-ADDR/>", "from 192.0.2.1 port", "192.0.2.1"],
  ] as const) {
    test(`${tag} finds ${address ?? "nobody"} in "${line}"`, () => {
      assert.equal(match(`^from ${tag} port$`, line)?.address, address);
    });
  }

  test("tells the user", () => {
    const found = match(
      "for <F-USER>.*</F-USER> from <HOST>",
      "for a b@example.org from 192.0.2.1",
    );
    assert.equal(found?.user, "a b@example.org");
    assert.equal(match("<F-ALT_USER1>x*</F-ALT_USER1> <HOST>", "xx 192.0.2.1")?.user, "xx");
  });

  test("passes over what an ignoreregex matches", () => {
    const filter = compileFilter({
      failregex: ["bad <HOST>"],
      ignoreregex: ["bad 192\\.0\\.2\\.7$"],
    });
    assert.equal(filter.match("bad 192.0.2.7"), undefined);
    assert.equal(filter.match("bad 192.0.2.78")?.address, "192.0.2.78");
  });

  test("looks at what the prefregex leaves of a line", () => {
    const filter = compileFilter({
      prefregex: String.raw`^ \S+ imapd\[\d+\]: <F-CONTENT>.+</F-CONTENT>$`,
      failregex: ["^failed <HOST>$", "^refused <HOST>$"],
    });
    assert.equal(filter.match(" mx1 imapd[7]: refused 192.0.2.1")?.rule, 2);
    assert.equal(filter.match(" mx1 imapd[7]: x failed 192.0.2.1"), undefined);
    assert.equal(filter.match(" mx1 smtpd[7]: failed 192.0.2.1"), undefined);
  });

  test("looks at all of a line whose prefregex has no <F-CONTENT>", () => {
    const filter = compileFilter({ prefregex: "imapd", failregex: ["^ mx1 .*refused <HOST>$"] });
    assert.equal(filter.match(" mx1 imapd: refused 192.0.2.1")?.address, "192.0.2.1");
    assert.equal(filter.match(" mx1 smtpd: refused 192.0.2.1"), undefined);
  });

  test("sees the end of a line as white space", () => {
    assert.equal(match("bad <HOST>\\s", "bad 192.0.2.1")?.address, "192.0.2.1");
    assert.equal(match("bad <HOST>\\s*$", "bad 192.0.2.1")?.address, "192.0.2.1");
    assert.equal(match("bad <HOST>.", "bad 192.0.2.1")?.address, undefined);
  });

  test("takes the address from the prefregex, too", () => {
    const prefregex = "^<HOST> <F-CONTENT>.+</F-CONTENT>$";
    const filter = compileFilter({ prefregex, failregex: ["^refused$"] });
    assert.equal(filter.match("192.0.2.1 refused")?.address, "192.0.2.1");
  });

  for (const [what, regex, line] of [
    ["\\s is any white space of Unicode", "a\\s<HOST>", "a\u2003192.0.2.1"],
    ["\\w is any letter", "^\\w+ <HOST>", "Jürgen 192.0.2.1"],
    ["\\S in a class", "^[\\S]+ <HOST>", "Jürgen< 192.0.2.1"],
    ["{,2} begins at none", "^a{,2}<HOST>", "192.0.2.1"],
    ["[ within a class is itself", "^[[:a]+ <HOST>", "[: 192.0.2.1"],
    ["a flag within a group holds there", "^((?i)LOGIN|plain) <HOST>", "Login 192.0.2.1"],
    ["\\Z is the end", "<HOST>\\Z", "192.0.2.1"],
    ["text between < and > is no tag", "user=<[^>]*> <HOST>", "user=<x> 192.0.2.1"],
    ["a comment is nothing", "a(?#b) <HOST>", "a 192.0.2.1"],
    ["} alone is itself", "a} <HOST>", "a} 192.0.2.1"],
    ["\\x41 and \\u0042 are characters", "\\x41\\u0042 <HOST>", "AB 192.0.2.1"],
  ] as const) {
    test(`reads Python's expressions: ${what}`, () => {
      assert.equal(match(regex, line)?.address, "192.0.2.1");
    });
  }

  for (const [regex, fault] of [
    ["<HOST> (?!x)", "column 8: (?!...) looks ahead: a linear-time engine cannot do it"],
    ["(?<=x)<HOST>", "column 1: (?<=...) looks behind: a linear-time engine cannot do it"],
    ["(a)<HOST>\\1", "column 10: \\1 goes back to a group: a linear-time engine cannot do it"],
    [
      "(?P<q>a)(?P=q)<HOST>",
      "column 9: (?P=name) goes back to a group: a linear-time engine cannot do it",
    ],
    ["a*+<HOST>", "column 2: *+ never gives back what it took: a linear-time engine cannot do it"],
    ["(?x)<HOST>", "column 1: (?x): this flag is not carried over"],
    ["a{2000}<HOST>", "column 2: expected at most 1000 repetitions, got {2000}"],
    ["<HOST> <HOST>", "column 8: the group ip4 is there twice"],
    ["x(<HOST>", "column 2: (: its ) is missing"],
    ["<HOST>)", "column 7: ): there is no open group"],
    ["[a<HOST>", "column 1: [: its ] is missing"],
    ["<HOST>\\", "column 7: expected a character behind \\, got the end"],
    ["<HOST>\\q", "column 7: \\q: there is no such escape"],
    [
      "<F-NOFAIL>a</F-NOFAIL> <HOST>",
      "column 1: <F-NOFAIL>: a failure that several lines tell together is not carried over",
    ],
    [
      "<HOST><SKIPLINES>b",
      "column 7: <SKIPLINES>: a failure that several lines tell together is not carried over",
    ],
  ] as const) {
    test(`refuses ${regex} with the place`, () => {
      assert.deepEqual(faultsOf({ failregex: ["<HOST>", regex] }), [`failregex 2, ${fault}`]);
    });
  }

  test("refuses all that it must at once", () => {
    assert.deepEqual(
      faultsOf({
        prefregex: "a*+",
        failregex: ["x", "(?=a)<HOST>"],
        ignoreregex: ["("],
        datepattern: "^%Y-%q",
      }),
      [
        "prefregex, column 2: *+ never gives back what it took: a linear-time engine cannot do it",
        "failregex 1: expected <HOST>, <ADDR>, <IP4>, <IP6> or (?P<host>...), got none",
        "failregex 2, column 1: (?=...) looks ahead: a linear-time engine cannot do it",
        "ignoreregex 1, column 1: (: its ) is missing",
        "datepattern, column 5: %q: there is no such directive",
      ],
    );
  });

  test("takes nothing that the engine then refuses, and never anything but a fault", () => {
    const piece = fc.constantFrom(
      ..."a b < > ( ) [ ] { } * + ? | ^ $ . \\ - , 1 /".split(" "),
      "<HOST>",
      "(?:",
      "(?P<x>",
      "\\d",
      "\\S",
      "{,3}",
      "<F-USER>",
      "</F-USER>",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        faultsOf({ failregex: [pieces.join("")] }); // throws where it is no FilterError
      }),
      { numRuns: 2_000 },
    );
  });

  test("translates plain text into itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 50 }), (text) => {
        const escaped = text.replace(/[.*+?^${}()|[\]\\<]/g, "\\$&");
        const filter = compileFilter({ failregex: [`^${escaped} <HOST>$`] });
        assert.equal(
          filter.match(`${text} 192.0.2.1`)?.address,
          "192.0.2.1",
          translateRegex(escaped),
        );
      }),
    );
  });
});

describe("a line for a custom filter", () => {
  const filter = compileFilter({ failregex: ["^(?: mx1 x\\[7\\]:|\\[\\]| -)? ?bad <HOST>$"] });
  const read = (line: string) => countFiltered(readFiltered(line, filter, NOW), NOW);
  const local = (...parts: [number, number, number, number, number, number, number?]) =>
    new Date(...parts).getTime();

  for (const [line, at] of [
    ["2026-11-24T10:00:00.500+01:00 mx1 x[7]: bad 192.0.2.1", Date.UTC(2026, 10, 24, 9, 0, 0, 500)],
    ["Nov  3 10:00:00 mx1 x[7]: bad 192.0.2.1", local(2026, 10, 3, 10, 0, 0)],
    ["Nov 3 10:00:00 mx1 x[7]: bad 192.0.2.1", local(2026, 10, 3, 10, 0, 0)],
    ["Dec 31 10:00:00 mx1 x[7]: bad 192.0.2.1", local(2025, 11, 31, 10, 0, 0)],
    ["[Tue Jul 22 06:48:30.25 2025] bad 192.0.2.1", local(2025, 6, 22, 6, 48, 30, 250)],
    ["[20/Jan/2026:19:53:28 +0100] bad 192.0.2.1", Date.UTC(2026, 0, 20, 18, 53, 28)],
    ["2026/04/09 11:53:29 - bad 192.0.2.1", local(2026, 3, 9, 11, 53, 29)],
    ["[2026-02-13 17:21:54] bad 192.0.2.1", local(2026, 1, 13, 17, 21, 54)],
    ["1764000000.250 bad 192.0.2.1", 1_764_000_000_250],
    ["bad 192.0.2.1", NOW],
    ["bad 192.0.2.1\r", NOW],
  ] as const) {
    test(`${JSON.stringify(line)} tells when`, () => {
      assert.equal(read(line)?.at, at);
    });
  }

  test("of the journal is host, program and message", () => {
    const entry = {
      _HOSTNAME: "mx1",
      SYSLOG_IDENTIFIER: "x",
      _PID: "7",
      __REALTIME_TIMESTAMP: "1764000000250000",
    };
    const bytes = [...Buffer.from("bad 192.0.2.1")];
    for (const MESSAGE of ["bad 192.0.2.1", bytes]) {
      const counted = read(JSON.stringify({ ...entry, MESSAGE }));
      assert.equal(counted?.address, "192.0.2.1");
      assert.equal(counted.at, 1_764_000_000_250);
    }
  });

  test("that stands for several counts so often", () => {
    const line = "Nov  3 10:00:00 mx1 x[7]: message repeated 4 times: [ bad 192.0.2.1]";
    assert.equal(read(line)?.attempts, 4);
  });
});
