import assert from "node:assert/strict";
import { test } from "node:test";
import { createLoginOutcomes } from "../../../../services/agent/report/login-outcomes.ts";
import { createLedger } from "../../../../services/detection/attempts/attempt-ledger.ts";
import { createDetector } from "../../../../services/detection/dovecot-detector.ts";

/** A host whose log is read as the agent reads it. */
function setUp() {
  const clock = { now: Date.UTC(2026, 10, 24, 12) };
  const changes: (string | undefined)[] = [];
  const outcomes = createLoginOutcomes({
    now: () => clock.now,
    onChange: () => changes.push(outcomes.trouble()),
  });
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger, onReading: outcomes.note });
  let position = 0;
  const write = (message: string) => {
    const chunk = Buffer.from(`Nov 24 12:00:00 mx1 dovecot: ${message}\n`);
    detector.feed(chunk, position, clock.now);
    position += chunk.length;
  };
  let session = 0;
  return {
    ...{ outcomes, clock, changes, write },
    logIn: (user: string, address: string) =>
      write(
        `imap-login: Login: user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.1, mpid=${4000 + session}, session=<s${session++}>`,
      ),
    refuse: (user: string, address: string) =>
      write(`auth: passwd-file(${user},${address},<r${session++}>): Password mismatch`),
    fail: (user: string, address: string) =>
      write(
        `auth: Error: ldap(${user},${address},<r${session++}>): ldap_bind() failed: Can't contact LDAP server`,
      ),
  };
}

test("users who are refused where they have logged in before are no attackers", () => {
  const { outcomes, logIn, refuse, changes } = setUp();
  for (let n = 1; n <= 8; n += 1) logIn(`user${n}`, `198.51.100.${n}`);
  // Eight logins within five minutes speak against it.
  for (let n = 1; n <= 7; n += 1) refuse(`user${n}`, `198.51.100.${n}`);
  assert.equal(outcomes.trouble(), undefined);
  refuse("user8", "198.51.100.8");
  assert.equal(outcomes.trouble(), undefined);
  assert.deepEqual(changes, []);
});

test("that is told when it begins and when it ends, with the number of users", () => {
  const { outcomes, clock, logIn, refuse, changes } = setUp();
  for (let n = 1; n <= 8; n += 1) logIn(`user${n}`, `198.51.100.${n}`);
  clock.now += 600_000;
  for (let n = 1; n <= 4; n += 1) refuse(`user${n}`, `198.51.100.${n}`);
  assert.equal(outcomes.trouble(), undefined);
  refuse("user5", "198.51.100.5");
  assert.match(outcomes.trouble() ?? "", /^5 users are refused who have logged in/);
  assert.equal(changes.length, 1);
  for (let n = 1; n <= 3; n += 1) logIn(`user${n}`, `198.51.100.${n}`);
  assert.equal(outcomes.trouble(), undefined);
  assert.deepEqual(changes.slice(1), [undefined]);
});

test("an attack on users of the host is none, however many of them it tries", () => {
  const { outcomes, clock, logIn, refuse } = setUp();
  for (let n = 1; n <= 8; n += 1) logIn(`user${n}`, `198.51.100.${n}`);
  clock.now += 600_000;
  for (let n = 1; n <= 200; n += 1) refuse(`user${n % 8}`, `203.0.113.${n % 20}`);
  assert.equal(outcomes.trouble(), undefined);
});

test("a passdb that cannot be asked counts from ten lines and three addresses on, for five minutes", () => {
  const { outcomes, clock, fail, changes } = setUp();
  for (let n = 1; n <= 20; n += 1) fail("bob", `198.51.100.${n % 2}`);
  assert.equal(outcomes.trouble(), undefined);
  fail("bob", "198.51.100.9");
  assert.match(outcomes.trouble() ?? "", /could not ask its passdb for clients of 3 addresses/);
  assert.equal(changes.length, 1);
  clock.now += 301_000;
  assert.equal(outcomes.trouble(), undefined);
});

test("a missing PAM file counts until somebody logs in", () => {
  const { outcomes, write, logIn, clock } = setUp();
  write(
    "auth-worker(77): Error: pam(bob,198.51.100.7): unknown user (/etc/pam.d/dovecot missing?)",
  );
  assert.match(outcomes.trouble() ?? "", /PAM's service file is missing/);
  clock.now += 1;
  logIn("bob", "198.51.100.7");
  assert.equal(outcomes.trouble(), undefined);
});
