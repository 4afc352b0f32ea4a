import assert from "node:assert/strict";
import { test } from "node:test";
import { createLedger } from "../../../../../services/detection/attempts/attempt-ledger.ts";
import { createDetector } from "../../../../../services/detection/dovecot-detector.ts";
import { redact } from "../../../../../services/detection/lines/redact.ts";
import { createUnrecognizedLines } from "../../../../../services/agent/report/sources/unrecognized-lines.ts";

const HOUR_MS = 3_600_000;
const STRANGE =
  "Mar  3 18:00:02 mx1 dovecot: auth: new(bob,198.51.100.7): login refused by a new rule";

test("more than a few lines within an hour are reported, with the last one redacted", () => {
  const clock = { now: Date.UTC(2026, 10, 24) };
  const lines = createUnrecognizedLines(() => clock.now);
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger, onUnrecognized: lines.note });
  const feed = (count: number) => {
    const chunk = Buffer.from(`${STRANGE}\n`.repeat(count));
    assert.deepEqual(detector.feed(chunk, 0, clock.now), []);
  };
  feed(5);
  assert.equal(lines.recent(), undefined);
  clock.now += HOUR_MS / 2;
  feed(1);
  const sample = "Mar  3 18:00:02 mx1 dovecot: auth: new(...): login refused by a new rule";
  assert.deepEqual(lines.recent(), { count: 6, sample });
  clock.now += HOUR_MS / 2 + 1;
  assert.equal(lines.recent(), undefined);
  assert.equal(lines.total, 6);
});

test("a redacted line has nothing that a client has sent", () => {
  const secret = "hunter2";
  for (const line of [
    `auth: passwd-file(${secret},198.51.100.7): refused`,
    `auth: passwd-file(bob,198.51.100.7): refused (given password: ${secret} ${secret})`,
    `auth: x: password: ${secret}`,
    `auth: x: token=${secret} ${secret}`,
    `imap-login: refused: user=<${secret}>, rip=198.51.100.7`,
    `imap-login: refused: user=${secret}, rip=198.51.100.7`,
    `pam_x(dovecot:auth): refused ruser=${secret} rhost=198.51.100.7`,
    `auth: x: '${secret}' is refused`,
    `auth: x: ${secret}@example.org is refused`,
  ]) {
    const shown = redact(`Mar  3 04:05:06 mx1 dovecot: ${line}`);
    assert.ok(!shown.includes(secret), shown);
    assert.ok(shown.startsWith("Mar  3 04:05:06 mx1 dovecot: "), shown);
  }
  assert.ok(redact("x".repeat(100_000)).length <= 200);
});
