/** What is said of hosts whose messages cannot be decoded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createUndecodableMessages } from "../../../../services/coordinator/hosts/undecodable-messages.ts";

test("messages that cannot be decoded are counted by host, for an hour after the last", () => {
  let now = 0;
  const messages = createUndecodableMessages(() => now);
  const failures = { subject: "fleetban.failures.dovecot.mx1", what: "failures" } as const;
  messages.note(failures, "v: expected 1");
  messages.note(failures, "v: expected 1, got 2");
  const [warning, ...others] = messages.warnings();
  assert.match(warning?.text ?? "", /^2 messages of host mx1 \(failures\).*expected 1, got 2; /);
  assert.deepEqual([warning?.subject, others.length], ["mx1", 0]);
  now = 3_600_000;
  assert.deepEqual(messages.warnings(), []);
  messages.note(failures, "v");
  assert.match(messages.warnings()[0]?.text ?? "", /^1 message of host mx1 .*does not count/);
});

test("of very many hosts the last hundred are kept", () => {
  const messages = createUndecodableMessages(() => 0);
  for (let n = 0; n < 1_000; n += 1) {
    messages.note({ subject: `fleetban.status.mx${n}`, what: "status" }, "no JSON");
  }
  const hosts = messages.warnings().map(({ subject }) => subject);
  assert.deepEqual([hosts.length, hosts.at(-1)], [100, "mx999"]);
});
