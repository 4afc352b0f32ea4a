import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readAnyLoginLine } from "../../../../services/detection/dovecot/login-line.ts";
import { readUsualLoginLine } from "../../../../services/detection/dovecot/usual-login-line.ts";

/** Pieces of login lines; most of the time the usual one, so that many lines are usual. */
const part = (usual: string, ...others: string[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, fc.constantFrom(usual, ...others));

const hostile = fc
  .array(
    fc.constantFrom(
      ...["user=<", ">", ", ", ": ", "method=PLAIN", "rip=9.9.9.9", "lip=192.0.2.25", " (", ")"],
      ...["(auth failed, 9 attempts in 9 secs)", " (auth_failed)", "Login", "SSL certificate"],
      ...["session=<ZrmCsAVgAcDAAAI3>", "bob", "=", "<", "M-c", "\\303", " ", "\n", "é", "proxy("],
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(""));
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("bob", "bob@example.com", "a b", "Login: user=") },
  // Dovecot cuts names after 80 bytes; some syslog daemons spell bytes with several characters.
  fc.constantFrom("", "a".repeat(80), "a".repeat(81), "M-c".repeat(30), "rip=9.9.9.9 ".repeat(7)),
  fc.string({ maxLength: 90 }),
  hostile,
);
const number = fc.oneof({ weight: 4, arbitrary: fc.nat(12) }, fc.nat(20_000));

const loginLine = fc
  .tuple(
    part(
      "imap-login: ",
      "pop3-login: Info: ",
      "imap-login: Debug: ",
      "imap-login-login: ",
      "auth: ",
    ),
    part("Disconnected", "Aborted login", "Login aborted", "Login", "Logged in", "Remote closed"),
    part(
      "",
      ": Connection closed",
      ": Inactivity",
      ": SSL certificate",
      ": Bad (x)",
      ": a: user=<b",
    ),
    number,
    number,
    part("auth failed", "no auth attempts", "authorization failed", "proxy dest auth failed"),
    part("", " (auth_failed)", " (authorization_failed)", " (auth_failed) ", ", last failure: "),
    part(": ", " ", ": [", ":  "),
    name,
    part(", method=PLAIN", ", method=", "", `, method=${"A".repeat(70)}`, ", method=EXTERNAL x"),
    part(", rip=192.0.2.7", ", rip=::ffff:192.0.2.7", ", rip=2001:db8::7", ", rip=9.9", ""),
    part(", lip=192.0.2.25", ", lip=::1", ", lip=999.0.2.1", ", lip=192.0.2.25, rip=9.9.9.9", ""),
    part("", ", mpid=7", ", mpid=x", ", mpid=12345678901"),
    part("", ", TLS", ", secured", ", TLS: SSL_read failed: x", ", TLSv1.3"),
    part(", session=<ZrmCsAVgAcDAAAI3>", "", ", session=<>", `, session=<${"s".repeat(81)}>`, "]"),
    hostile,
  )
  .map(([head, verb, why, attempts, seconds, group, event, mark, user, ...rest]) => {
    const more = rest.pop();
    const isShort = verb === "Login" || verb === "Logged in";
    const reason = `${verb}${why} (${group}, ${attempts} attempts in ${seconds} secs)${event}`;
    const elements = `user=<${user}>${rest.join("")}`;
    return { line: `${head}${isShort ? verb : reason}${mark}${elements}`, more };
  })
  .chain(({ line, more = "" }) =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(line) }, fc.constant(line + more)),
  );

test("usual login lines are read at once as they are read step by step", () => {
  let usual = 0;
  const readsTheSame = (text: string) => {
    const reading = readUsualLoginLine(text);
    if (reading === undefined) return;
    usual += 1;
    assert.deepEqual(reading, readAnyLoginLine(text, { program: "dovecot" }));
  };
  fc.assert(fc.property(fc.oneof(loginLine, hostile), readsTheSame), { numRuns: 20_000 });
  assert.ok(usual > 2_000, `only ${usual} lines were usual`);
});

test("a line is not usual where a daemon may have spelled bytes of the name", () => {
  const readWith = (name: string) => {
    const line =
      "imap-login: Disconnected (auth failed, 2 attempts in 8 secs): " +
      `user=<${name}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.25, mpid=7, session=<ZrmCsAVgAcDAAAI3>`;
    return [readUsualLoginLine(line), readAnyLoginLine(line, { program: "dovecot" })];
  };
  const start = "Login (auth_failed)proxy(SSL certificateLoginmethod=PLAIN";
  // With these names, lines have a length after which BusyBox cuts.
  for (const byte of ["\\303", "#303", "\\xc3"]) {
    const [usual, any] = readWith(`${start}${byte} (auth_failed)`);
    assert.deepEqual([usual, any?.form], [undefined, "login-unrecognized"], byte);
  }
  for (const byte of ["^M", "M-c", "\ufffd"]) assert.equal(readWith(`bob${byte}`)[0], undefined);
  const [usual, any] = readWith(`${start}abcd (auth_failed)`);
  assert.ok(usual);
  assert.deepEqual(usual, any);
});
