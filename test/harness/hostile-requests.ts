/**
 * Requests as a client might send them that is not ours, or not friendly: what a field may be, what
 * it must not be, fields that are missing or unknown, and bytes that are no request at all.
 */
import * as fc from "fast-check";
import { api, type Endpoint } from "../../services/wire/api.ts";
import { banSelection } from "../../services/wire/ban-selection.ts";

export interface HostileRequest {
  endpoint: Endpoint;
  bytes: Uint8Array;
}

/** What a coordinator takes. Few addresses, of documentation, so that a test leaves few bans. */
const ADDRESSES = ["203.0.113.77", "203.0.113.64/28", "2001:db8:77::1"];
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  ...{ address: ADDRESSES, jail: ["dovecot", "nosuch"], host: ["mx77", "no-such-host"] },
  ...{ seconds: [3_600, null], immunity: [0, 60], wait: [null, 1], replace: [true, false] },
  ...{
    reason: ["because"],
    comment: ["office"],
    label: ["home", ""],
    user: ["alice"],
    domain: ["example.org"],
    all: [true, false],
    undo: [true, false],
  },
  ...{ sink: ["hook", "no-such-sink"] },
  ...{ limit: [1, 1_000], after: [null], since: ["2026-01-01T00:00:00.000Z"] },
  until: ["2026-12-01T00:00:00.000Z"],
  ...{ held: [true, false], dryRun: [true, false], asOf: ["2026-12-01T00:00:00.000Z"] },
  ...{ days: [1, 90], maxretry: [1, 100], findtime: [60], bantime: [60, null] },
  // Many, so that no address has enough failures for a ban, which would come at any time.
  addresses: Array.from({ length: 20 }, (_, last) => [`203.0.113.${80 + last}`]),
  ...{ service: ["imap"], attempts: [1] },
  ...{ endingWithin: [60], revision: [0, 1], comment: ["office"], trace: [true, false] },
  proof: [{ jwt: "a.b.c", at: "2026-01-01T00:00:00.000Z", signature: "AAAA" }],
  ...{ within: ADDRESSES, causedBy: ["mx77"], alone: [true, false], by: ["decider", "address"] },
  ...{ policyVersion: ["0123abcd"], option: ["maxretry", "nosuch"], value: ["8", "[143]", "*x"] },
};

const HOSTILE: readonly unknown[] = [
  ...[null, true, 0, -0, -1, 1.5, 1e308, -1e308, 2 ** 53, 2 ** 31, 2 ** 63, 5e-324],
  ...["", " ", "\0", "a\0b", "\ud800", "x\udfff", "\u202e\x1b[2J", "9".repeat(19), "9".repeat(300)],
  ...["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/0", "0/0", "010.0.0.1", "198.51.100.7/33"],
  ...["198.51.100.1/24", "198.51.100.0/024", "1.2.3.4 ", "fe80::1%eth0", "::ffff:192.0.2.1"],
  ...["x", "0", "-1", "1e9", "0x10", "0.0", "dovecot.x", "1/x", "1/0.0.0.0/0", "9".repeat(18)],
  ...["999999999999999/::1", "dovecot.198_51_100_7", "dovecot..", "../../etc/passwd", "*", ">"],
  ...["9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00.000Z", "+275760-09-13T00:00:00.000Z"],
  ...["-000001-01-01T00:00:00.000Z", "2026-02-30T00:00:00.000Z", "2026-01-01", "now", "1h"],
  ...["0001-01-01T00:00:00.000Z", "'; DROP TABLE failure; --", "{1,2}", "%", "\\", "null"],
  ...["__proto__", "constructor", {}, [], [[]], { toString: 1 }, [null], ["203.0.113.77"]],
];

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);

function fieldOf(name: string): fc.Arbitrary<unknown> {
  if (name === "bans") return fc.oneof({ weight: 4, arbitrary: bans() }, value);
  if (name === "rows") return fc.oneof({ weight: 4, arbitrary: rows() }, value);
  if (name === "selection") return fc.oneof({ weight: 4, arbitrary: selection() }, value);
  const right = RIGHT[name];
  if (!right) throw new Error(`${name}: say in RIGHT what a coordinator takes`);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: value },
    { weight: 1, arbitrary: fc.constant(undefined) }, // JSON leaves the field out
  );
}

/** Of the bans that a request changes. */
const selection = () => recordOf(Object.keys(banSelection.shape));

const INSTANT = "2026-01-01T00:00:00.000Z";
const BAN = {
  ...{ v: 1, change: "00000000-0000-4000-8000-000000000000", jail: "dovecot", state: "active" },
  ...{ address: "203.0.113.77", startsAt: INSTANT, until: null, changedAt: INSTANT },
  ...{ reason: "because", offence: 1, evidence: [], by: "decider" },
  ...{ immuneUntil: null, countedUntil: null },
};

/** Bans of a backup, right but for some fields. */
const bans = () =>
  fc.array(
    fc
      .record({ name: fc.constantFrom("reason", "until", "state", "evidence", "jail"), value })
      .map((change) => ({ ...BAN, [change.name]: change.value })),
    { maxLength: 3 },
  );

/** Entries of a list. */
const rows = () =>
  fc.array(recordOf(["address", "seconds", "until", "reason", "comment", "label"]), {
    maxLength: 3,
  });

const recordOf = (names: readonly string[]): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(names.map((name) => [name, fieldOf(name)])));

/** What JSON has no word for, such as undefined, is no bytes at all. */
const encode = (request: unknown) =>
  Buffer.from(String(JSON.stringify(request) as string | undefined));

function requestsOf(endpoint: Endpoint): fc.Arbitrary<HostileRequest> {
  const fields = recordOf(Object.keys(api[endpoint].request.shape));
  const bytes = fc.oneof(
    { weight: 16, arbitrary: fields.map(encode) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fields, fc.string(), value)
        .map(([request, name, more]) => encode({ ...request, [name]: more })),
    },
    { weight: 1, arbitrary: value.map(encode) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  );
  return bytes.map((given) => ({ endpoint, bytes: given }));
}

export const hostileRequests: fc.Arbitrary<HostileRequest> = fc.oneof(
  ...(Object.keys(api) as Endpoint[]).map(requestsOf),
);

/** Words of zod, PostgreSQL, Prisma and JavaScript, which say nothing to an operator. */
export const FOREIGN_WORDS =
  /invalid (?:input|type|byte|union|option)|received|zod|bigint|prisma|postgres|\bsql\b|syntax|utf-?8|cannot read|is not a function|undefined|\bat \w+ \(|out of range|TypeError/i;
