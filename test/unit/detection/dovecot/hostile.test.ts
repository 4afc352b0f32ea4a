import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";

const NOW = Date.UTC(2026, 10, 24);
const A = "198.51.100.7";
const STAMP = "2026-11-24T12:00:00.000000+00:00 mx1";

/** What a client may send as a name: anything but a line end, and often words of Dovecot's own. */
const hostileName = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          ", rip=9.9.9.9",
          " rip=9.9.9.9, lip=1.1.1.1",
          ">, method=PLAIN",
          "user=<",
          "rhost=9.9.9.9",
        ],
        ...[
          " rhost=9.9.9.9",
          "  user=",
          ",9.9.9.9",
          ",9.9.9.9): unknown user",
          ",9.9.9.9,sasl:plain)<AAAA>: users: Password mismatch",
          ",9.9.9.9): Password mismatch (given password: ",
          "): Password mismatch",
          ",<AAAA>): unknown user",
        ],
        ...[
          "(auth failed, 9 attempts in 1 secs): ",
          "(auth_failed): ",
          "session=<B>",
          "imap-login: ",
        ],
        ...[
          "pam_unix(dovecot:auth): ",
          "message repeated 9 times: [ ",
          "]",
          "Login: ",
          "given password: ",
        ],
        ...["auth: passwd-file(", ")<55><AAAA>: ", "sasl:plain", "\u2028", "\0", "\r", "\u0085"],
      ),
      fc.string({ maxLength: 12 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join("").replaceAll("\n", "").slice(0, 200));

/** As Dovecot cuts names: the auth process to 64 bytes, the login processes to 80. */
function cut(name: string, limit = 64): string {
  if (Buffer.byteLength(name) <= limit) return name;
  let end = name.length;
  while (Buffer.byteLength(name.slice(0, end)) > limit - 3) end -= 1;
  return `${name.slice(0, end)}...`;
}

const FORMS: Readonly<Record<string, (name: string) => string>> = {
  login: (name) =>
    `${STAMP} dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<${cut(name, 80)}>, method=PLAIN, rip=${A}, lip=192.0.2.25, TLS, session=<dhXQXP1gB8nGM2QH>`,
  "login 2.4": (name) =>
    `${STAMP} dovecot: imap-login: Login aborted: Logged out (auth failed, 1 attempts in 2 secs) (auth_failed): user=<${cut(name, 80)}>, method=PLAIN, rip=${A}, lip=192.0.2.25, session=<dhXQXP1gB8nGM2QH>`,
  "login, elements first": (name) =>
    `${STAMP} dovecot: imap-login: [user=<${cut(name, 80)}>, method=PLAIN, rip=${A}, lip=192.0.2.25, session=<dhXQXP1gB8nGM2QH>] Disconnected: Inactivity (auth failed, 1 attempts in 2 secs)`,
  "login, name last": (name) =>
    `${STAMP} dovecot: imap-login: method=PLAIN, rip=${A}, lip=192.0.2.25, session=<dhXQXP1gB8nGM2QH>, user=<${cut(name, 80)}>: Disconnected: Inactivity (auth failed, 1 attempts in 2 secs)`,
  success: (name) =>
    `${STAMP} dovecot: imap-login: Login: user=<${cut(name, 80)}>, method=PLAIN, rip=${A}, lip=192.0.2.25, mpid=7, session=<dhXQXP1gB8nGM2QH>`,
  auth: (name) =>
    `${STAMP} dovecot: auth: passwd-file(${cut(name)},${A},<dhXQXP1gB8nGM2QH>): Password mismatch`,
  "auth with its password": (name) =>
    `${STAMP} dovecot: auth: passwd-file(bob,${A},<dhXQXP1gB8nGM2QH>): Password mismatch (given password: ${name})`,
  "auth 2.4": (name) =>
    `${STAMP} dovecot: auth(${cut(name)},${A},sasl:plain)<dhXQXP1gB8nGM2QH>: passwd-file: Password mismatch`,
  "auth without a session": (name) =>
    `${STAMP} dovecot: auth: passwd-file(${cut(name)},${A}): unknown user`,
  "auth with a password and no session": (name) =>
    `${STAMP} dovecot: auth: sql(b,${A}): Password mismatch (given password: ${name})`,
  "auth refused by a policy": (name) =>
    `${STAMP} dovecot: auth: policy(b,${A}): Authentication failure due to policy server refusal: ${name}`,
  "auth 2.4 of an MTA": (name) =>
    `${STAMP} dovecot: auth(${cut(name)},${A},sasl:login): users: Password mismatch (given password: ${name})`,
  "auth 2.4 debug, name": (name) =>
    `${STAMP} dovecot: auth(${cut(name)},${A},sasl:plain)<dhXQXP1gB8nGM2QH>: Debug: users: Performing passdb lookup`,
  "auth 2.4 debug, SASL": (name) =>
    `${STAMP} dovecot: auth(?,${A},sasl:plain): Debug: sasl(plain): Failed to set authid '${name}'`,
  "auth 2.4 debug, password": (name) =>
    `${STAMP} dovecot: auth(b,${A}): Debug: u: PLAIN(${name}) != 'right'`,
  "auth 2.4 worker": (name) =>
    `${STAMP} dovecot: auth-worker(${cut(name)},${A})<55><dhXQXP1gB8nGM2QH>: request [7]: pam: pam_authenticate() failed: Authentication failure (Password mismatch?) (given password: ${name})`,
  "auth 2.4 master login": (name) =>
    `${STAMP} dovecot: auth(b,${A},sasl:plain): users: Master user logging in as ${name}`,
  pam: (name) =>
    `${STAMP} auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=${name} rhost=${A}  user=${name}`,
  "pam, unknown user": (name) =>
    `${STAMP} auth[7]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=${name} rhost=${A}`,
};

for (const [form, write] of Object.entries(FORMS)) {
  test(`${form}: no name gets another address counted`, () => {
    fc.assert(
      fc.property(hostileName, (name) => {
        const { stage, verdict, address } = readLine(write(name), NOW);
        if (stage !== undefined && verdict !== "success") assert.equal(address, A);
      }),
      { numRuns: 2_000 },
    );
  });
}

test("auth lines: no name, password or SASL data hides an attempt without a report", () => {
  const forms = Object.keys(FORMS).filter((form) => form.startsWith("auth"));
  const attempts = forms.filter((form) => !/debug|master/.test(form));
  fc.assert(
    fc.property(hostileName, fc.constantFrom(...attempts), (name, form) => {
      const { verdict, isUnrecognized } = readLine(FORMS[form]!(name), NOW);
      assert.ok(isUnrecognized || verdict !== "other", FORMS[form]!(name));
    }),
    { numRuns: 5_000 },
  );
});

test("auth lines of level Debug are never attempts", () => {
  const forms = Object.keys(FORMS).filter((form) => form.includes("debug"));
  fc.assert(
    fc.property(hostileName, fc.constantFrom(...forms), (name, form) => {
      assert.equal(readLine(FORMS[form]!(name), NOW).stage, undefined, FORMS[form]!(name));
    }),
    { numRuns: 5_000 },
  );
});

test("login lines: no name hides its own attempt without a report", () => {
  fc.assert(
    fc.property(hostileName, (name) => {
      for (const form of ["login", "login 2.4"]) {
        const reading = readLine(FORMS[form]!(name), NOW);
        const { verdict, attempts, address, isUnrecognized } = reading;
        if (!isUnrecognized) assert.deepEqual([verdict, attempts, address], ["failure", 1, A]);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("bytes of any kind are read, and never throw", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom(...Object.values(FORMS)),
      (bytes, write) => {
        const detector = createDetector({
          source: "mail",
          ledger: createLedger({ mode: "aggressive" }),
        });
        const name = Buffer.from(bytes.filter((byte) => byte !== 10));
        const [before = "", after = ""] = write("\u0001").split("\u0001");
        const chunk = Buffer.concat([
          name,
          Buffer.from("\n"),
          Buffer.from(before),
          name,
          Buffer.from(`${after}\n`),
        ]);
        for (const { address } of detector.feed(chunk, 0, NOW)) assert.equal(address, A);
      },
    ),
  );
});

test("a line cut at any byte counts for its own address or for none", () => {
  for (const write of Object.values(FORMS)) {
    const line = write("bob");
    for (let length = 0; length <= line.length; length += 1) {
      const { stage, address } = readLine(line.slice(0, length), NOW);
      // Cut inside of the address it is another one; no log writes half of a line and its end.
      if (stage !== undefined) assert.ok(A.startsWith(address ?? ""), line.slice(0, length));
    }
  }
});

test("garbage between two lines takes neither of them away", () => {
  const detector = createDetector({ source: "mail", ledger: createLedger({ mode: "normal" }) });
  const garbage = Buffer.concat([
    Buffer.from([0, 255, 254, 10, 0, 10]),
    Buffer.alloc(200_000, 0x28),
  ]);
  const line = (id: string) => `${FORMS["login"]!("bob").replace("dhXQXP1gB8nGM2QH", id)}\n`;
  const chunk = Buffer.concat([
    ...[Buffer.from(line("AAAAAAAAAAAAAAA1")), garbage, Buffer.from(" rip=9.9.9.9\n")],
    Buffer.from(line("AAAAAAAAAAAAAAA2")),
  ]);
  assert.equal(detector.feed(chunk, 0, NOW).length, 2);
  assert.equal(detector.overlong, 1);
});
