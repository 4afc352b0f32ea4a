import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { pino } from "pino";
import {
  createDecider,
  type Decider,
  type DeciderOptions,
} from "../../../../services/coordinator/decide/decider.ts";
import { createAllowlist } from "../../../../services/policy/allowlist.ts";
import { createBanGuard } from "../../../../services/coordinator/decide/ban-guard.ts";
import { createQuarantines } from "../../../../services/coordinator/buckets/quarantines.ts";
import { createSparedOffences } from "../../../../services/coordinator/decide/spared-offences.ts";
import { createOwnMachines } from "../../../../services/coordinator/hosts/own-machines.ts";
import { createMissedOffences } from "../../../../services/coordinator/decide/missed-offences.ts";
import { banByOperator, liftBan } from "../../../../services/policy/ban-lifecycle.ts";
import { createJailPauses, pauseJail, resumeJail } from "../../../../services/policy/jail-pause.ts";
import { createChanges, memoryOf } from "../../../../services/policy/ban-memory.ts";
import { parseNetwork, type Address } from "../../../../services/wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../../../services/wire/ban.ts";
import { encodeFailureBatch } from "../../../../services/wire/failure.ts";
import type { Jail, JailPause } from "../../../../services/wire/settings.ts";
import { banKey, failureSubject, jailPauseKey } from "../../../../services/wire/subjects.ts";
import { JAIL } from "../../../harness/jail.ts";

const START = Date.UTC(2026, 10, 24);
const network = (text: string): Address => parseNetwork(text)!;
const A = network("198.51.100.7");

interface Message {
  subject: string;
  data: Uint8Array;
  storedAt: number;
}

/** One failure as an agent sends it; `at` in seconds after START. */
function failure(
  host: string,
  at: number,
  address: Address = A,
  storedAt = at,
  position = Math.round(at * 1000) + 1,
  sentAt = storedAt,
): Message {
  const each = { position, address, at: START + at * 1000, attempts: 1, form: "test" };
  const batch = {
    ...({ v: 1, host, jail: "dovecot", source: "mail", epoch: "e" } as const),
    ...{ sentAt: START + sentAt * 1000, from: position - 1, to: position },
  };
  return {
    subject: failureSubject("dovecot", host),
    data: encodeFailureBatch({ ...batch, failures: [each] }),
    storedAt: START + storedAt * 1000,
  };
}

/** A decider with a bucket in memory; `bucket` outlives it, as NATS does. */
function setUp(
  bucket = new Map<string, Ban>(),
  isLeader = true,
  jails: Jail[] = [JAIL],
  begin = START,
) {
  const clock = { now: begin };
  const lease = { isLeader: isLeader };
  const nats = { isAway: false };
  /** The last login of each address. */
  const logins = new Map<Address, number>();
  const written: Ban[] = [];
  const lines: string[] = [];
  const allowlist = createAllowlist();
  const missed = createMissedOffences(() => clock.now);
  const later: { decider?: Decider } = {};
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const now = () => clock.now;
  const machines = createOwnMachines({ isQuarantined: () => false, now });
  const quarantines = createQuarantines({
    horizon: () => 2_400_000,
    onBegin: (host) => later.decider?.forgetHost(host),
  });
  const pauses = createJailPauses();
  const guard = createBanGuard({
    ...{ limits: () => ({ bansPerMinute: null, perHost: null }), distrust: () => undefined, now },
    isQuarantined: (host) => quarantines.of(host) !== undefined,
  });
  const spared = createSparedOffences({ allowlist, machines, now, log });
  const newId = () => crypto.randomUUID();
  /** The first jail's bans stand under their address alone, for most tests have no other jail. */
  const keyOf = (jail: string, address: Address) =>
    jail === jails[0]?.name ? address : `${jail}.${address}`;
  const bans: DeciderOptions["bans"] = {
    get: (jail, address) => bucket.get(keyOf(jail, address)),
    *entries() {
      for (const ban of bucket.values()) yield { ban };
    },
    change(jail, address, step) {
      if (nats.isAway) return Promise.reject(new Error("no responders"));
      const ban = step(bucket.get(keyOf(jail, address)), 0);
      if (!ban) return Promise.resolve(undefined);
      bucket.set(keyOf(jail, address), ban);
      written.push(ban);
      later.decider?.observe(ban);
      return Promise.resolve({ ban, revision: written.length });
    },
  };
  const decider = createDecider({
    jails,
    spared,
    guard,
    quarantines,
    pauses,
    missed,
    hasLoggedIn: (address, since) => (logins.get(address) ?? -Infinity) >= since,
    isLeader: () => lease.isLeader,
    now,
    newChange: createChanges({ ...{ jails, bans, memory: memoryOf(jails, 86_400) }, now, newId }),
    log,
    bans,
  });
  later.decider = decider;
  const tell = async (messages: readonly Message[]) => {
    for (const message of messages) {
      clock.now = Math.max(clock.now, message.storedAt);
      decider.take(message);
      await Promise.resolve();
    }
    await new Promise(setImmediate);
  };
  return {
    decider,
    tell,
    written,
    lines,
    logins,
    bucket,
    allowlist,
    machines,
    spared,
    quarantines,
    pauses,
    missed,
    clock,
    lease,
    nats,
  };
}

const ATTACK = ["mx1", "mx2", "mx3", "mx1", "mx2"].map((host, index) => failure(host, index));

test("an attacker below maxretry on every host is banned, with what each host saw", async () => {
  const { tell, written } = setUp();
  await tell(ATTACK.slice(0, 4));
  assert.equal(written.length, 0);
  await tell(ATTACK.slice(4));
  assert.equal(written.length, 1);
  const [ban] = written;
  assert.equal(ban?.until, START + 4_000 + 1_200_000);
  assert.deepEqual(ban.evidence, [
    { host: "mx1", failures: 2 },
    { host: "mx2", failures: 2 },
    { host: "mx3", failures: 1 },
  ]);
});

test("of a jail of some hosts only their failures count", async () => {
  const jail = { ...JAIL, maxretry: 2, hosts: ["mx*", "!mx9"] };
  const { tell, written } = setUp(new Map(), true, [jail]);
  await tell([failure("mx1", 0), failure("mx9", 1), failure("imap1", 2)]);
  assert.equal(written.length, 0);
  await tell([failure("mx2", 3)]);
  assert.deepEqual(
    written[0]?.evidence.map(({ host }) => host),
    ["mx1", "mx2"],
  );
});

test("a ban of one host alone is everywhere when another host confirms it, also in another coordinator", async () => {
  const jail: Jail = { ...JAIL, maxretry: 2, minhosts: 2, quorum: "local-first" };
  const { tell, written, bucket } = setUp(new Map(), true, [jail]);
  const messages = [failure("mx1", 0), failure("mx1", 1)];
  await tell(messages);
  assert.deepEqual(written[0]?.hosts, ["mx1"]);
  const second = setUp(bucket, true, [jail]);
  await second.tell([...messages, failure("mx1", 2)]);
  assert.equal(second.written.length, 0);
  await second.tell([failure("mx2", 3)]);
  assert.deepEqual([second.written.length, bucket.get(A)?.hosts], [1, undefined]);
});

test("an address of a machine of the fleet is not banned, which is counted and logged once", async () => {
  const { tell, written, lines, machines, spared } = setUp();
  machines.noteSetting("machine.host.mx9", {
    type: "machine",
    machine: { v: 1, addresses: [{ address: A, what: "host mx9" }], seenAt: START },
  });
  await tell([
    ...ATTACK,
    ...["mx1", "mx2", "mx3", "mx1", "mx2"].map((host, at) => failure(host, at + 10)),
  ]);
  assert.equal(written.length, 0);
  assert.deepEqual(spared.counts(), { allowlist: 0, machines: 2 });
  assert.equal(lines.filter((line) => line.includes("host mx9")).length, 1);
});

test("what a host in quarantine has reported counts neither before nor after, nor in a later fold", async () => {
  const { tell, written, quarantines, clock } = setUp();
  const begin = {
    v: 1,
    since: START,
    until: null,
    by: "operator alice",
    reason: "it lies",
  } as const;
  await tell(ATTACK.slice(0, 4)); // two of mx1, one of mx2, one of mx3
  quarantines.noteSetting("quarantine.mx1", { type: "quarantine", quarantine: begin });
  await tell([failure("mx1", 10), failure("mx1", 11), failure("mx2", 12), failure("mx3", 13)]);
  assert.equal(written.length, 0); // four honest ones
  clock.now = START + 20_000;
  const end = { ...begin, until: clock.now };
  quarantines.noteSetting("quarantine.mx1", { type: "quarantine", quarantine: end });
  const later = setUp();
  later.quarantines.noteSetting("quarantine.mx1", { type: "quarantine", quarantine: end });
  await later.tell([...ATTACK.slice(0, 4), failure("mx1", 10), failure("mx2", 12)]);
  assert.equal(later.written.length, 0);
  await tell([failure("mx1", 21)]);
  assert.equal(written.length, 1);
  assert.deepEqual(written[0]?.evidence.find(({ host }) => host === "mx1")?.failures, 1);
});

test("another decider that folds the same messages over the same bucket writes nothing", async () => {
  const { tell, bucket } = setUp();
  await tell(ATTACK);
  const second = setUp(bucket);
  await second.tell(ATTACK);
  assert.equal(second.written.length, 0);
});

test("a fold that begins in the middle of a count goes on with it", async () => {
  const first = setUp();
  await first.tell(ATTACK.slice(0, 4));
  const second = setUp(first.bucket);
  await second.tell(ATTACK.slice(0, 4));
  await second.tell(ATTACK.slice(4));
  assert.equal(second.written.length, 1);
});

test("a batch that is sent again counts once", async () => {
  const { tell, written, decider } = setUp();
  for (const message of ATTACK.slice(0, 4)) await tell([message, message, message]);
  assert.equal(written.length, 0);
  assert.equal(decider.counters.failures.total, 4);
});

test("who does not hold the lease writes nothing, and all that is due when it gets it", async () => {
  const { tell, written, decider, lease } = setUp(new Map(), false);
  await tell(ATTACK);
  assert.equal(written.length, 0);
  assert.equal(decider.counters.due(), 1);
  lease.isLeader = true;
  decider.submitDue();
  await tell([]);
  assert.equal(written.length, 1);
  assert.equal(decider.counters.due(), 0);
});

test("who gets the lease does not write what was written before", async () => {
  const waiting = setUp(new Map(), false);
  await waiting.tell(ATTACK);
  const first = setUp();
  await first.tell(ATTACK);
  waiting.decider.observe(first.written[0]!);
  assert.equal(waiting.decider.counters.due(), 0);
  waiting.lease.isLeader = true;
  waiting.decider.submitDue();
  await waiting.tell([]);
  assert.equal(waiting.written.length, 0);
});

test("a ban that cannot be written now is kept, and written when it is submitted again", async () => {
  const { tell, written, decider, lines, nats } = setUp();
  nats.isAway = true;
  await tell(ATTACK);
  assert.match(lines.join(""), /no responders.*ban cannot be written, keeps trying/);
  assert.equal(decider.counters.due(), 1);
  nats.isAway = false;
  decider.submitDue();
  await tell([]);
  assert.equal(written.length, 1);
  assert.equal(decider.counters.due(), 0);
});

/** What two who decide on the same messages must have in common. */
function decisions(bucket: ReadonlyMap<string, Ban>) {
  return [...bucket.values()]
    .map(({ address, until, countedUntil, offence, evidence }) => {
      const hosts = evidence.map(({ host, failures }) => `${host} ${failures}`).sort();
      return { address, until, countedUntil, offence, hosts };
    })
    .sort((a, b) => (a.address < b.address ? -1 : 1));
}

test("whatever hosts tell, and however late: folding it again makes the same bans", async () => {
  const step = fc.record({
    host: fc.constantFrom("mx1", "mx2", "mx3"),
    address: fc.constantFrom("198.51.100.7", "198.51.100.8", "2001:db8::7"),
    passes: fc.oneof(fc.constant(0), fc.nat({ max: 30 }), fc.nat({ max: 200 })),
    late: fc.oneof(fc.constant(0), fc.nat({ max: 300 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      let storedAt = 300;
      const messages = steps.flatMap(({ host, address, passes, late }) => {
        storedAt += passes + 0.001; // positions are made of it, and lines have one each
        // So that no ban is over meanwhile; that would be its address's second offence.
        if (storedAt > 1_400) return [];
        const position = Math.round(storedAt * 1000);
        return [failure(host, storedAt - late, network(address), storedAt, position)];
      });
      const live = setUp();
      await live.tell(messages);

      const beside = setUp(new Map(live.bucket));
      await beside.tell(messages);
      assert.deepEqual(beside.written, []);

      const anew = setUp();
      anew.clock.now = live.clock.now;
      await anew.tell(messages);
      assert.deepEqual(decisions(anew.bucket), decisions(live.bucket));
    }),
    { numRuns: 200 },
  );
});

test("an unban holds against the failures that brought the ban, and those of its immunity", async () => {
  const { tell, bucket, written } = setUp();
  await tell(ATTACK);
  const now = START + 10_000;
  const lifted = liftBan(
    bucket.get(A)!,
    { by: "operator", reason: "", immunity: 1200 },
    { now, id: crypto.randomUUID() },
  );
  const again = setUp(new Map([[A, lifted]]));
  await again.tell(ATTACK);
  await again.tell([11, 12, 13, 14, 15, 16].map((at) => failure("mx3", at)));
  assert.equal(again.written.length, 0);
  await again.tell([1300, 1301, 1302, 1303, 1304].map((at) => failure("mx3", at)));
  assert.equal(again.written.length, 1);
  assert.equal(again.written[0]?.offence, 1);
  assert.equal(written.length, 1);
});

test("an address that is allowed, alone or in a network, is not banned", async () => {
  for (const entry of ["198.51.100.7", "198.51.100.0/24"]) {
    const { tell, written, allowlist } = setUp();
    const allowed = { v: 1, comment: "", addedAt: START, by: "test", origin: "operator" } as const;
    allowlist.set({ ...allowed, address: parseNetwork(entry)! });
    await tell(ATTACK);
    assert.equal(written.length, 0);
  }
});

test("a host whose clock runs ahead cannot ban into the future, nor keep others from banning", async () => {
  const { tell, written } = setUp();
  await tell(["mx1", "mx1", "mx1", "mx1", "mx1"].map((host, n) => failure(host, 90_000 + n, A, n)));
  assert.equal(written.length, 1);
  assert.ok((written[0]?.until ?? 0) <= START + 4_000 + 1_200_000);
});

test("an offence that was over when NATS stored it is counted for its host, again and again a warning", async () => {
  const { tell, written, missed } = setUp();
  // Stamps of a zone five hours behind the one that the agent takes them for.
  const old = (address: Address, storedAt: number) =>
    Array.from({ length: 5 }, (_, n) => {
      return failure("mx1", storedAt - 18_000 + n, address, storedAt + n, storedAt * 1000 + n);
    });
  for (const [index, last] of [7, 8, 9].entries()) {
    assert.deepEqual(missed.hostWarnings("mx1"), []);
    await tell(old(network(`198.51.100.${last}`), 20_000 + index * 60));
  }
  assert.equal(written.length, 0);
  assert.equal(missed.total(), 3);
  assert.deepEqual([...missed.byHost()], [["mx1", 3]]);
  const [warning] = missed.hostWarnings("mx1");
  assert.equal(warning?.code, "offences-too-old");
  assert.match(warning.text, /^3 offences.*5h old.*timezone:/);
  assert.deepEqual([missed.hostWarnings("mx2"), missed.warnings()], [[], []]);
});

test("offences that no coordinator decided in time are a warning of the coordinators", async () => {
  const { tell, written, missed, clock } = setUp();
  clock.now = START + 3_600_000;
  for (const last of [7, 8, 9]) {
    const at = last * 100;
    const attack = [0, 1, 2, 3, 4].map((n) => {
      return failure("mx1", at + n, network(`198.51.100.${last}`), at + n, at * 1000 + n);
    });
    await tell(attack);
  }
  assert.deepEqual([written.length, missed.total()], [0, 3]);
  assert.deepEqual(missed.hostWarnings("mx1"), []);
  assert.equal(missed.warnings()[0]?.code, "offences-not-decided");
  clock.now += 3_600_001;
  assert.deepEqual(missed.warnings(), []);
});

test("a ban that was decided and is over is no offence that was missed", async () => {
  const { tell, bucket, clock } = setUp();
  await tell(ATTACK);
  clock.now = START + 3_600_000;
  const second = setUp(bucket);
  second.clock.now = clock.now;
  await second.tell(ATTACK);
  assert.deepEqual([second.written.length, second.missed.total()], [0, 0]);
});

test("an offence that is over before NATS takes its ban is counted", async () => {
  const { tell, decider, written, missed, clock, nats } = setUp();
  nats.isAway = true;
  await tell(ATTACK);
  clock.now += 1_300_000;
  nats.isAway = false;
  decider.submitDue();
  await new Promise(setImmediate);
  assert.deepEqual([written.length, missed.total(), decider.counters.due()], [0, 1, 0]);
});

test("failures whose ban would be over by now ban nobody", async () => {
  const { decider, written, clock } = setUp();
  clock.now = START + 5_000_000;
  for (const message of ATTACK) decider.take(message);
  await new Promise(setImmediate);
  assert.equal(written.length, 0);
});

test("hosts whose clocks differ by hours count together, each failure at its own time", async () => {
  const { tell, written } = setUp();
  // mx1's clock is two hours behind, mx2's one ahead; all five are made within 4 s.
  const clocks = { mx1: -7200, mx2: 3600, mx3: 0 };
  const at = (host: keyof typeof clocks, second: number) =>
    failure(host, second + clocks[host], A, second, second * 1000 + 1, second + clocks[host]);
  await tell([at("mx1", 0), at("mx2", 1), at("mx3", 2), at("mx1", 3)]);
  assert.equal(written.length, 0);
  await tell([at("mx2", 4)]);
  assert.equal(written.length, 1);
  assert.equal(written[0]?.until, START + 4_000 + 1_200_000);
});

test("a backlog counts at the time that its log says, whenever it is sent", async () => {
  const { tell, written } = setUp();
  const late = [0, 400, 800, 1201, 1600].map((at) => failure("mx1", at, A, 5_000, at * 1000 + 1));
  await tell(late);
  assert.deepEqual(written, []);
});

test("what cannot be decoded is counted, and hides nothing", async () => {
  const { tell, decider, written } = setUp();
  const [first] = ATTACK;
  const garbage = [Buffer.from("{"), Buffer.from([0xff, 0]), Buffer.from('{"v":2}')];
  for (const data of garbage) await tell([{ ...first!, data }]);
  await tell([{ ...first!, subject: failureSubject("dovecot", "mx9") }]); // somebody else's name
  assert.equal(decider.counters.undecodable, 4);
  await tell(ATTACK);
  assert.equal(written.length, 1);
});

test("failures of a jail that is not configured are nobody's", () => {
  const { decider, written } = setUp();
  const { counters } = decider;
  const [first] = ATTACK;
  const batch = { host: "mx1", source: "mail", epoch: "e", sentAt: START, from: 0, to: 1 };
  const each = { position: 1, address: A, at: START, attempts: 9, form: "test" };
  const data = encodeFailureBatch({ v: 1, jail: "sshd", ...batch, failures: [each] });
  decider.take({ ...first!, subject: failureSubject("sshd", "mx1"), data });
  assert.deepEqual([written, counters.failures.total, counters.undecodable], [[], 0, 0]);
});

test("a host is complained of once a minute, whatever it sends and whatever jail it names", async () => {
  const { tell, decider, lines, clock } = setUp();
  const garbage = (jail: string, host: string): Message => {
    return { subject: failureSubject(jail, host), data: Buffer.from("{"), storedAt: 0 };
  };
  await tell([garbage("dovecot", "mx1"), garbage("dovecot", "mx1"), garbage("sshd", "mx1")]);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /fleetban\.failures\.dovecot\.mx1.*failures cannot be decoded/);
  await tell([garbage("dovecot", "mx2")]);
  assert.equal(lines.length, 2);
  clock.now += 59_999;
  await tell([garbage("dovecot", "mx1")]);
  assert.equal(lines.length, 2);
  clock.now += 1;
  decider.sweep();
  await tell([garbage("dovecot", "mx1")]);
  assert.equal(lines.length, 3);
  assert.equal(decider.counters.undecodable, 6);
});

test("no host bans a whole network: failures come from addresses", async () => {
  const { tell, decider, written } = setUp();
  for (const text of ["0.0.0.0/1", "203.0.113.0/31", "::/0"]) {
    await tell([1, 2, 3, 4, 5].map((at) => failure("mx1", at, network(text))));
  }
  assert.equal(written.length, 0);
  assert.equal(decider.counters.undecodable, 15);
});

describe("addresses of a /64 count together", () => {
  const NETWORK = network("2001:db8:1:2::/64");
  const addressOf = (last: number) => network(`2001:db8:1:2::${last.toString(16)}`);
  /** Every failure is of another address. */
  const spread = (from: number, count = 5) =>
    Array.from({ length: count }, (_, n) => failure("mx1", from + n, addressOf(n + 1)));
  const setUpBy64 = (bucket?: Map<string, Ban>) =>
    setUp(bucket, true, [{ ...JAIL, ipv4_prefix: 32, ipv6_prefix: 64 }]);

  test("who changes the address for every attempt is banned with the network", async () => {
    const { tell, written } = setUpBy64();
    await tell([...spread(0, 4), failure("mx2", 5, network("2001:db8:1:3::1"))]);
    assert.equal(written.length, 0);
    await tell([failure("mx3", 6, addressOf(1))]);
    assert.deepEqual([written.length, written[0]?.address], [1, NETWORK]);
    const [ban] = written;
    assert.match(ban?.reason ?? "", /^5 failures of 4 addresses on 2 hosts within 6s$/);
    assert.deepEqual(ban?.basis?.addresses?.[0], { address: addressOf(1), failures: 2 });
    assert.deepEqual(decodeBan(encodeBan(ban), banKey("dovecot", NETWORK)), ban);
  });

  test("IPv4 addresses count each for itself", async () => {
    const { tell, written } = setUpBy64();
    await tell([0, 1, 2, 3, 4].map((n) => failure("mx1", n, network(`198.51.100.${n}`))));
    assert.equal(written.length, 0);
    const attack = setUpBy64();
    await attack.tell(ATTACK);
    assert.deepEqual([attack.written[0]?.address, attack.written[0]?.basis], [A, undefined]);
  });

  test("a network that holds an allowed address is not banned, others in it are", async () => {
    const { tell, written, allowlist } = setUpBy64();
    const allowed = { v: 1, comment: "", addedAt: START, by: "test", origin: "operator" } as const;
    allowlist.set({ ...allowed, address: addressOf(0xffff) });
    await tell(spread(0, 20));
    assert.equal(written.length, 0);
    await tell([30, 31, 32, 33].map((at) => failure("mx2", at, addressOf(1))));
    assert.deepEqual(
      written.map(({ address }) => address),
      [addressOf(1)],
    );
    await tell([40, 41, 42, 43, 44].map((at) => failure("mx2", at, addressOf(0xffff))));
    assert.equal(written.length, 1);
  });

  test("an address whose ban was lifted brings no ban of its network in its immunity", async () => {
    const { tell, bucket, written, decider } = setUpBy64();
    await tell(spread(0, 1));
    const order = { jail: JAIL, address: addressOf(1), reason: "", by: "operator", replace: false };
    const change = { now: START + 5_000, id: crypto.randomUUID() };
    const banned = banByOperator(undefined, { ...order, seconds: 60 }, change)!;
    const lifted = liftBan(banned, { by: "operator", reason: "", immunity: 1200 }, change);
    bucket.set(addressOf(1), lifted);
    decider.observe(lifted);
    await tell([6, 7, 8, 9, 10, 11].map((at) => failure("mx2", at, addressOf(1))));
    await tell([12, 13, 14, 15].map((at) => failure("mx2", at, addressOf(2))));
    assert.equal(written.length, 0);
    await tell([failure("mx2", 16, addressOf(2))]);
    assert.deepEqual(written[0]?.basis?.addresses, [{ address: addressOf(2), failures: 5 }]);
    const again = setUpBy64(bucket);
    await again.tell(spread(0, 1));
    await again.tell([6, 7, 8, 9, 10, 11].map((at) => failure("mx2", at, addressOf(1))));
    assert.equal(again.written.length, 0);
  });
});

describe("a jail that counts bans", () => {
  const dovecot: Jail = { ...JAIL, bantime: 60 };
  const recidive: Jail = {
    ...JAIL,
    ...{ name: "recidive", source: "bans", ports: [] },
    ...{ maxretry: 3, findtime: 86_400, bantime: 604_800 },
  };
  const jails = [dovecot, recidive];
  const attackAt = (second: number) =>
    [0, 1, 2, 3, 4].map((n) => failure("mx1", second + n, A, second + n, (second + n) * 1000 + 1));
  const bansOf = ({ written }: { written: readonly Ban[] }, jail: string) =>
    written.filter((ban) => ban.jail === jail);

  test("bans who was banned maxretry times, and says which bans brought it", async () => {
    const fleet = setUp(new Map(), true, jails);
    await fleet.tell([...attackAt(0), ...attackAt(1000)]);
    assert.equal(bansOf(fleet, "recidive").length, 0);
    await fleet.tell(attackAt(2000));
    const [ban, ...more] = bansOf(fleet, "recidive");
    assert.deepEqual([ban?.address, more], [A, []]);
    assert.deepEqual(ban?.basis?.bans, [{ jail: "dovecot", bans: 3 }]);
    assert.equal(ban.until, ban.countedUntil! + 604_800_000);
  });

  test("goes on counting where another coordinator has left off, from the bucket alone", async () => {
    const first = setUp(new Map(), true, jails);
    await first.tell([...attackAt(0), ...attackAt(1000)]);
    const second = setUp(first.bucket, true, jails);
    second.clock.now = first.clock.now;
    await second.tell(attackAt(2000));
    assert.equal(bansOf(second, "recidive").length, 1);
  });

  test("writes at its start what the last coordinator could not write", async () => {
    const first = setUp(new Map(), true, jails);
    await first.tell([...attackAt(0), ...attackAt(1000), ...attackAt(2000)]);
    first.bucket.delete(`recidive.${A}`);
    const second = setUp(first.bucket, true, jails, first.clock.now);
    await second.tell([]);
    assert.equal(bansOf(second, "recidive").length, 1);
    const third = setUp(second.bucket, true, jails, first.clock.now);
    await third.tell([]);
    assert.deepEqual(third.written, []);
  });

  test("does not ban an allowed address", async () => {
    const fleet = setUp(new Map(), true, jails);
    await fleet.tell([...attackAt(0), ...attackAt(1000)]);
    const allowed = { v: 1, comment: "", addedAt: START, by: "test", origin: "operator" } as const;
    fleet.allowlist.set({ ...allowed, address: A });
    await fleet.tell(attackAt(2000));
    assert.equal(bansOf(fleet, "recidive").length, 0);
  });

  test("counts no failures that name it", async () => {
    const fleet = setUp(new Map(), true, jails);
    const each = { position: 1, address: A, at: START, attempts: 9, form: "test" };
    const batch = { host: "mx1", source: "mail", epoch: "e", sentAt: START, from: 0, to: 1 };
    const data = encodeFailureBatch({ v: 1, jail: "recidive", ...batch, failures: [each] });
    await fleet.tell([{ subject: failureSubject("recidive", "mx1"), data, storedAt: START }]);
    assert.deepEqual([fleet.written, fleet.decider.counters.failures.total], [[], 0]);
  });
});

test("an offence whose grown ban is not over yet is banned, however old it is", async () => {
  const increment = { factor: 1, multipliers: [], overalljails: false };
  const jails = [{ ...JAIL, bantime: 60, increment }];
  const first = setUp(new Map(), true, jails);
  await first.tell(ATTACK);
  const second = setUp(first.bucket, true, jails);
  await second.tell([200, 201, 202, 203, 204].map((at) => failure("mx1", at, A, at + 90)));
  assert.deepEqual([second.written.length, second.missed.total()], [1, 0]);
  assert.equal(second.written[0]?.until, START + 204_000 + 120_000);
  const third = setUp(new Map(), true, jails);
  await third.tell([200, 201, 202, 203, 204].map((at) => failure("mx1", at, A, at + 90)));
  assert.deepEqual([third.written.length, third.missed.total()], [0, 1]);
});

describe("a network of which several addresses are banned", () => {
  const option = { prefix4: 24, prefix6: 48, addresses: 3, findtime: 3600 };
  const jails: Jail[] = [{ ...JAIL, network: option }];
  const attackBy = (last: number, second: number) =>
    [0, 1, 2, 3, 4].map((n) => failure("mx1", second + n, network(`198.51.100.${last}`)));
  const addressesOf = ({ written }: { written: readonly Ban[] }) =>
    written.map(({ address }) => address);

  test("is banned as a whole, and the bans of its addresses stay", async () => {
    const fleet = setUp(new Map(), true, jails);
    await fleet.tell([...attackBy(1, 0), ...attackBy(2, 100)]);
    assert.equal(fleet.written.length, 2);
    await fleet.tell(attackBy(3, 200));
    assert.deepEqual(addressesOf(fleet).slice(2), ["198.51.100.3", "198.51.100.0/24"]);
    assert.equal(fleet.bucket.get(network("198.51.100.1"))?.state, "active");
    await fleet.tell(attackBy(4, 300));
    assert.deepEqual(addressesOf(fleet).slice(4), ["198.51.100.4"]);
  });

  test("is banned by another coordinator, too, that knows only the bucket", async () => {
    const first = setUp(new Map(), true, jails);
    await first.tell([...attackBy(1, 0), ...attackBy(2, 100)]);
    const second = setUp(first.bucket, true, jails, first.clock.now);
    await second.tell(attackBy(3, 200));
    assert.deepEqual(addressesOf(second), ["198.51.100.3", "198.51.100.0/24"]);
  });

  test("is not banned where it holds an allowed address", async () => {
    const fleet = setUp(new Map(), true, jails);
    const allowed = { v: 1, comment: "", addedAt: START, by: "test", origin: "operator" } as const;
    fleet.allowlist.set({ ...allowed, address: network("198.51.100.99") });
    await fleet.tell([...attackBy(1, 0), ...attackBy(2, 100), ...attackBy(3, 200)]);
    assert.equal(fleet.written.length, 3);
  });

  test("is not banned for bans of before, once its ban was lifted", async () => {
    const fleet = setUp(new Map(), true, jails);
    await fleet.tell([...attackBy(1, 0), ...attackBy(2, 100), ...attackBy(3, 200)]);
    const key = network("198.51.100.0/24");
    const order = { by: "operator", reason: "", immunity: 0 };
    const change = { now: fleet.clock.now, id: crypto.randomUUID() };
    const lifted = liftBan(fleet.bucket.get(key)!, order, change);
    fleet.bucket.set(key, lifted);
    fleet.decider.observe(lifted);
    await fleet.tell([...attackBy(4, 300), ...attackBy(5, 400)]);
    assert.equal(fleet.bucket.get(key)?.state, "lifted");
    await fleet.tell(attackBy(6, 500));
    assert.equal(fleet.bucket.get(key)?.state, "active");
  });
});

test("user names count where the jail says so: many of them, and one that nobody has", async () => {
  const jails: Jail[] = [{ ...JAIL, users: 3, decoys: ["oracle"] }];
  const tried = (user: string, second: number, address = A): Message => {
    const position = second * 1000 + 1;
    const at = START + second * 1000;
    const failures = [{ position, address, at, attempts: 1, user, form: "test" }];
    const batch = { host: "mx1", source: "mail", epoch: "e", from: position - 1, to: position };
    const data = encodeFailureBatch({ v: 1, jail: "dovecot", ...batch, sentAt: at, failures });
    return { subject: failureSubject("dovecot", "mx1"), data, storedAt: at };
  };
  const fleet = setUp(new Map(), true, jails);
  await fleet.tell([tried("bob", 0), tried("bob", 1), tried("carol", 2)]);
  assert.equal(fleet.written.length, 0);
  await fleet.tell([tried("dave", 3)]);
  const [ban] = fleet.written;
  assert.equal(ban?.reason, "3 user names in 4 failures on 1 host within 3s");
  assert.equal(ban.basis?.rule, "users");
  await fleet.tell([tried("Oracle", 4, network("198.51.100.8"))]);
  assert.equal(fleet.written[1]?.reason, "tried the decoy user oracle on 1 host");
  const again = setUp(fleet.bucket, true, jails);
  await again.tell([tried("dave", 3), tried("oracle", 4, network("198.51.100.8"))]);
  assert.deepEqual([again.written, again.missed.total()], [[], 0]);
});

test("a paused jail bans nobody new, and what fails meanwhile never counts", async () => {
  const recidive: Jail = { ...JAIL, name: "recidive", source: "bans", maxretry: 1 };
  const setUpPaused = (jail: string, bucket = new Map<string, Ban>()) => {
    const fleet = setUp(bucket, true, [JAIL, recidive]);
    const order = { by: "operator alice", reason: "", now: START + 2_500, until: null };
    const pause = pauseJail(undefined, order);
    const note = (value: JailPause) =>
      fleet.pauses.noteSetting(jailPauseKey(jail), { type: "jail-pause", pause: value });
    note(pause);
    return {
      ...fleet,
      resume: (second: number) => {
        note(resumeJail(pause, { by: "operator alice", now: START + second * 1000 })!);
      },
    };
  };
  const failed = (...seconds: number[]) => seconds.map((second) => failure("mx1", second));

  const paused = setUpPaused("dovecot");
  await paused.tell(failed(0, 1, 2, 3, 4, 5, 6, 7));
  assert.equal(paused.written.length, 0);
  paused.resume(10);
  await paused.tell(failed(11));
  assert.equal(paused.written.length, 0, "three failures of before, and one of after");
  await paused.tell(failed(12));
  assert.equal(paused.written[0]?.reason, "5 failures on 1 host within 12s");

  // A coordinator that starts later, and reads everything again, decides the same.
  const late = setUpPaused("dovecot");
  late.resume(10);
  await late.tell(failed(0, 1, 2, 3, 4, 5, 6, 7, 11));
  assert.equal(late.written.length, 0);
  await late.tell(failed(12));
  assert.deepEqual(
    late.written.map(({ jail }) => jail),
    ["dovecot", "recidive"],
  );

  const others = setUpPaused("recidive");
  await others.tell(failed(0, 1, 2, 3, 4));
  assert.deepEqual(
    others.written.map(({ jail }) => jail),
    ["dovecot"],
  );
});

test("an entry of the allowlist for one jail spares in that jail alone", async () => {
  const other: Jail = { ...JAIL, name: "submission" };
  const recidive: Jail = { ...JAIL, name: "recidive", source: "bans", maxretry: 1 };
  const allowed = { v: 1, address: A, comment: "", addedAt: START, by: "alice" } as const;
  const bannedIn = async (entry: string, reported: string) => {
    const { tell, written, allowlist } = setUp(new Map(), true, [JAIL, other, recidive]);
    allowlist.set({ ...allowed, origin: "operator", jail: entry });
    const message = (at: number) => {
      const { data, ...others } = failure("mx1", at);
      const batch = JSON.parse(Buffer.from(data).toString()) as object;
      const bytes = Buffer.from(JSON.stringify({ ...batch, jail: reported }));
      return { ...others, data: bytes, subject: failureSubject(reported, "mx1") };
    };
    await tell([0, 1, 2, 3, 4].map(message));
    return written.map(({ jail }) => jail);
  };
  assert.deepEqual(await bannedIn("submission", "dovecot"), ["dovecot", "recidive"]);
  assert.deepEqual(await bannedIn("submission", "submission"), []);
  assert.deepEqual(await bannedIn("recidive", "dovecot"), ["dovecot"]);
});

test("an offence of an allowed address is decided when the address is allowed no more, and still due", async () => {
  const allowed = { v: 1, address: A, comment: "", addedAt: START, by: "config" } as const;
  const { tell, written, allowlist, decider } = setUp();
  const settle = async () => {
    decider.submitDue();
    await new Promise(setImmediate);
  };
  allowlist.set({ ...allowed, origin: "operator" });
  await tell(ATTACK);
  await settle();
  assert.equal(written.length, 0);
  allowlist.delete({ address: A });
  await settle();
  assert.deepEqual(
    written.map(({ state, until }) => [state, until]),
    [["active", START + 4_000 + 1_200_000]],
  );

  const late = setUp();
  late.allowlist.set({ ...allowed, origin: "operator" });
  await late.tell(ATTACK);
  late.allowlist.delete({ address: A });
  late.clock.now = START + 4_000 + 1_200_000;
  late.decider.submitDue();
  await new Promise(setImmediate);
  assert.equal(late.written.length, 0);
});

test("a known-good address needs a higher count, also in a coordinator that takes over", async () => {
  const jails: Jail[] = [{ ...JAIL, knownGood: { factor: 2, within: 3_600 } }];
  const messages = Array.from({ length: 10 }, (_, second) => failure("mx1", second));
  const first = setUp(new Map(), true, jails);
  first.logins.set(A, START - 3_000_000);
  await first.tell(messages.slice(0, 9));
  assert.equal(first.written.length, 0);
  const second = setUp(first.bucket, true, jails);
  second.logins.set(A, START - 3_000_000);
  await second.tell(messages);
  const [ban] = second.written;
  assert.equal(ban?.reason, "10 failures on 1 host within 9s, known good");
  assert.deepEqual(ban.basis, { knownGood: 2 });

  const late = setUp(new Map(), true, jails);
  late.logins.set(A, START - 3_600_000);
  await late.tell(messages.slice(0, 5));
  assert.deepEqual([late.written.length, late.written[0]?.basis], [1, undefined]);
});
