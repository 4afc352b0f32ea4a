import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBan, encodeBan, type Ban } from "../../../services/wire/ban.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { WireError } from "../../../services/wire/codec.ts";
import {
  decodeFailureBatch,
  encodeFailureBatch,
  failure,
  type Failure,
  type FailureBatch,
} from "../../../services/wire/failure.ts";

const address = parseAddress("198.51.100.7")!;
const batch: FailureBatch = {
  v: 1,
  host: "mx1",
  jail: "dovecot",
  source: "mail-log",
  epoch: "k3j5",
  sentAt: 1_790_000_000_500,
  from: 0,
  to: 120,
  failures: [
    {
      ...{ position: 120, address, at: 1_790_000_000_000, attempts: 2, form: "login" },
      ...{ user: undefined, service: "imap", session: undefined },
    },
  ],
};
const SUBJECT = "fleetban.failures.dovecot.mx1";

test("a batch of failures comes back as it was sent", () => {
  assert.deepEqual(decodeFailureBatch(encodeFailureBatch(batch), SUBJECT), batch);
});

test("a batch that names another host than its subject is refused", () => {
  const bytes = encodeFailureBatch(batch);
  assert.throws(() => decodeFailureBatch(bytes, "fleetban.failures.dovecot.mx2"), WireError);
  assert.throws(() => decodeFailureBatch(bytes, "fleetban.failures.smtp.mx1"), WireError);
});

test("what is no batch is refused with the place, without quoting it", () => {
  const sent = JSON.parse(Buffer.from(encodeFailureBatch(batch)).toString()) as {
    failures: [{ address: string }];
  };
  sent.failures[0].address = "198.51.100.7; reboot";
  for (const [bytes, message] of [
    [Buffer.from(JSON.stringify(sent)), /failures\.0\.address: expected an address/],
    [Buffer.from("\xff\x00{"), /not JSON/],
    [Buffer.alloc(2_000_000, "["), /2000000 bytes/],
  ] as const) {
    assert.throws(
      () => decodeFailureBatch(bytes, SUBJECT),
      (error: unknown) =>
        error instanceof WireError &&
        message.test(error.message) &&
        !error.message.includes("reboot"),
    );
  }
});

test("an address in another than its canonical spelling is refused", () => {
  const text = Buffer.from(encodeFailureBatch(batch)).toString();
  const other = Buffer.from(text.replace("198.51.100.7", "::ffff:198.51.100.7"));
  assert.throws(() => decodeFailureBatch(other, SUBJECT), WireError);
});

test("a ban for ever comes back as it was sent", () => {
  const ban: Ban = {
    v: 1,
    change: "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d",
    jail: "dovecot",
    address,
    state: "active",
    startsAt: 1_790_000_000_000,
    until: null,
    changedAt: 1_790_000_000_001,
    reason: "5 failures on 3 hosts within 12s",
    offence: 1,
    evidence: [{ host: "mx1", failures: 2 }],
    by: "decider",
    immuneUntil: null,
    countedUntil: 1_790_000_000_000,
  };
  assert.deepEqual(decodeBan(encodeBan(ban), "dovecot.198-51-100-7"), ban);
});

test("failures read quickly are what the schema makes of them, good and bad", () => {
  const texts = [undefined, "", "x".repeat(32), "x".repeat(257), 7, null];
  const pick = <T>(...values: T[]) => fc.constantFrom(...values);
  const failures = fc.record(
    {
      position: pick<unknown>(0, 7, -1, 1.5, 2 ** 53, "1"),
      address: pick<unknown>("192.0.2.1", "2001:db8::1", "2001:DB8::1", "::ffff:192.0.2.1", "", 5),
      at: pick<unknown>("2026-03-03T18:00:01.000Z", "2026-13-03T18:00:01.000Z", "now", 5),
      attempts: pick<unknown>(1, 1000, 0, 1001, "1"),
      user: pick<unknown>(...texts),
      service: pick<unknown>(...texts),
      session: pick<unknown>(...texts, "x".repeat(64)),
      form: pick<unknown>("form", "x".repeat(65), undefined),
      more: pick<unknown>(1),
    },
    { requiredKeys: ["position", "address", "at", "attempts", "form"] },
  );
  const envelope = {
    v: 1,
    host: "mx1",
    jail: "dovecot",
    source: "log",
    epoch: "e",
    from: 0,
    to: 9,
  };
  fc.assert(
    fc.property(failures, (value) => {
      const batch = { ...envelope, sentAt: "2026-03-03T18:00:01.000Z", failures: [value] };
      const bytes = Buffer.from(JSON.stringify(batch));
      const expected = failure.safeParse(
        (JSON.parse(bytes.toString()) as typeof batch).failures[0],
      );
      const read = () => decodeFailureBatch(bytes, "fleetban.failures.dovecot.mx1").failures;
      if (!expected.success) assert.throws(read, /^WireError: .*: failures\.0\./);
      else assert.equal(JSON.stringify(read()), JSON.stringify([inOrder(expected.data)]));
    }),
    { numRuns: 2_000 },
  );
});

/** Absent fields are left out by JSON. */
function inOrder({ position, address, at, attempts, user, service, session, form }: Failure) {
  return { position, address, at, attempts, user, service, session, form };
}
