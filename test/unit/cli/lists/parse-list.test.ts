import assert from "node:assert/strict";
import { test } from "node:test";
import { parseList } from "../../../../services/cli/lists/parse-list.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const parse = (text: string) => parseList(text, undefined, NOW);
const entriesOf = (text: string) => {
  const { entries, faults } = parse(text);
  assert.deepEqual(faults, []);
  return entries;
};

test("a plain list has an address per line, and comments say why it is there", () => {
  const text = "\ufeff# drop\n\n198.51.100.7\r\n 2001:DB8::1 # spam\n203.0.113.9/24 ; SBL1\n;x\n";
  assert.deepEqual(entriesOf(text), [
    { address: "198.51.100.7" },
    { address: "2001:db8::1", reason: "spam" },
    { address: "203.0.113.0/24", reason: "SBL1" },
  ]);
});

test("lines that are no address are named with their numbers", () => {
  const { entries, faults } = parse("198.51.100.7\nnonsense\n198.51.100.8 198.51.100.9\n1.2.3\n");
  assert.equal(entries.length, 1);
  assert.deepEqual(
    faults.map(({ where }) => where),
    ["line 2", "line 3", "line 4"],
  );
  assert.match(faults[0]?.reason ?? "", /^"nonsense": expected an IPv4 or IPv6 address/);
});

test("CSV is read by the names in its head, with quotes, ends and lengths", () => {
  const text = [
    "Address,jail,until,reason",
    '198.51.100.7,dovecot,2026-11-24T13:00:00.000Z,"a, ""b""\nc"',
    "198.51.100.8,,never,",
    "198.51.100.9,,2026-11-24T11:00:00Z,it is over",
    "# a comment",
    "nobody,,,",
  ].join("\n");
  const { entries, faults, passedOver } = parse(text);
  assert.deepEqual(entries, [
    { address: "198.51.100.7", jail: "dovecot", until: NOW + 3_600_000, reason: 'a, "b"\nc' },
    { address: "198.51.100.8", until: null },
  ]);
  assert.equal(passedOver, 1);
  assert.deepEqual(
    faults.map(({ where }) => where),
    ["line 7"],
  );
  assert.deepEqual(entriesOf("ip,duration\n198.51.100.7,1h30m\n198.51.100.8,600\n::2,-1"), [
    { address: "198.51.100.7", seconds: 5_400 },
    { address: "198.51.100.8", seconds: 600 },
    { address: "::2", seconds: null },
  ]);
});

test("what cscli prints is read, but for captchas, user names and what is over", () => {
  const raw = [
    "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id",
    "1,crowdsec,Ip:198.51.100.7,crowdsecurity/dovecot-spam,ban,DE,,6,3h59m57.2s,false,11",
    "2,cscli,Range:203.0.113.0/24,manual,ban,,,1,948.2ms,false,12",
    "3,cscli,Ip:198.51.100.8,manual,captcha,,,1,1h,false,13",
    "4,cscli,Username:bob,manual,ban,,,1,1h,false,14",
    "5,cscli,Ip:198.51.100.9,manual,ban,,,1,1h,true,15",
    "6,cscli,Ip:198.51.100.10,manual,ban,,,1,-2s,false,16",
    "7,cscli,Ip:2001:db8::7,manual,ban,,,1,1h,false,17",
  ].join("\n");
  const { entries, faults, passedOver } = parse(raw);
  assert.deepEqual(faults, []);
  assert.deepEqual(entries, [
    { address: "198.51.100.7", seconds: 14_398, reason: "crowdsecurity/dovecot-spam" },
    { address: "203.0.113.0/24", seconds: 1, reason: "manual" },
    { address: "2001:db8::7", seconds: 3_600, reason: "manual" },
  ]);
  assert.equal(passedOver, 4);
  const decision = { duration: "3h", scenario: "x", scope: "Ip", type: "ban", value: "::3" };
  const alerts = [{ decisions: [decision, { ...decision, type: "captcha" }] }, { decisions: null }];
  assert.deepEqual(entriesOf(JSON.stringify(alerts)), [
    { address: "::3", seconds: 10_800, reason: "x" },
  ]);
});

test("JSON is a list of addresses or objects, or what fleetban prints", () => {
  assert.deepEqual(entriesOf('["198.51.100.7", {"ip": "::2", "seconds": 60}]'), [
    { address: "198.51.100.7" },
    { address: "::2", seconds: 60 },
  ]);
  const ban = { address: "::2", jail: "dovecot", state: "active", until: null, reason: "x" };
  assert.deepEqual(entriesOf(JSON.stringify({ bans: [ban, { ...ban, state: "held" }] })), [
    { address: "::2", jail: "dovecot", until: null, reason: "x" },
  ]);
  const entry = { address: "192.0.2.0/24", comment: "office", label: "home" };
  assert.deepEqual(entriesOf(JSON.stringify({ allowed: [entry] })), [
    { address: "192.0.2.0/24", reason: "office", label: "home" },
  ]);
  for (const text of ["[1]", '{"x": 1}', "[", '["x"]', "[null]"]) {
    assert.equal(parse(text).faults.length, 1, text);
  }
});

test("what fail2ban-client banned prints is read with its jails", () => {
  assert.deepEqual(entriesOf("[{'sshd': ['198.51.100.7', '::2']}, {'dovecot': []}]\n"), [
    { jail: "sshd", address: "198.51.100.7", reason: "banned by fail2ban" },
    { jail: "sshd", address: "::2", reason: "banned by fail2ban" },
  ]);
});
