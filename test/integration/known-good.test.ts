/**
 * Known-good addresses on a real NATS: an agent reports logins, the coordinator counts by them. And
 * the way of a ban, with the times of everybody on it.
 */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import type { Reply } from "../../services/wire/api.ts";
import { encodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { encodeLoginDigest } from "../../services/wire/logins.ts";
import {
  BANS_BUCKET,
  loginsSubject,
  LOGINS_STREAM,
  statusSubject,
} from "../../services/wire/subjects.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, type TestNats } from "../harness/servers.ts";

const JAILS = `jails: { dovecot: { maxretry: 3, decoys: [oracle], knownGood: { factor: 2, within: 1h } } }`;
/** Two customers, and somebody who has never logged in. */
const [A, C, STRANGER] = ["198.51.100.7", "2001:db8:0:1::7", "198.51.100.99"];
const PATIENCE_SECONDS = 60;

let folder: string;
let nats: TestNats;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-known-"));
  nats = await startTestNats();
  centre = await startCentre({ folder, natsUrl: nats.url, coordinatorYaml: JAILS });
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const until = <T>(what: string, ask: () => Promise<T>) => eventually(what, ask, PATIENCE_SECONDS);
const why = async (address: string) => (await centre.cli("ban", "why", address)).stdout;
const isKnownGood = async (address: string) => /known good +yes/.test(await why(address));

async function login(...addresses: string[]): Promise<void> {
  const lines = addresses.map((address, index) => {
    const stamp = new Date().toISOString().replace("Z", "000+00:00");
    const elements = `user=<bob>, method=PLAIN, rip=${address}, lip=192.0.2.25, mpid=7, TLS`;
    return `${stamp} mx dovecot: imap-login: Login: ${elements}, session=<a${index}>\n`;
  });
  await appendFile(join(folder, "mail.log"), lines.join(""));
}

test("an address with a login needs more failures, and ban why says so before and after", async () => {
  await login(A, C);
  await until("the address is known good", () => isKnownGood(A));
  assert.match(await why(A), /known good +yes in dovecot: last login .* on mx1; 6 failures ban it/);
  await centre.fail(A, 5);
  await centre.fail(STRANGER, 3);
  await until("a stranger is banned as ever", () => centre.isBanned(STRANGER));
  assert.match(await why(STRANGER), /known good +no in dovecot: no login within 1h/);
  assert.equal(await centre.isBanned(A), false);
  await centre.fail(A, 1);
  await until("twice as many failures ban", () => centre.isBanned(A));
  const shown = await why(A);
  assert.match(shown, /because +6 failures on 1 host within .*, known good/);
  assert.match(shown, /known good +yes: 2 times the usual count was needed/);
  assert.match(shown, /held +no\n/);
  const dry = /in force +nowhere|in force +on 0\/1 hosts; dry run on mx1/;
  await until("its dry run is known", async () => dry.test(await why(A)));
});

test("a coordinator that starts again, or takes over, knows who has logged in", async () => {
  await centre.coordinator.stop();
  await centre.coordinator.start();
  await until("somebody decides", async () => (await centre.status()).decider !== null);
  await centre.fail("2001:db8:0:1::8", 5);
  await centre.fail("198.51.100.98", 3);
  await until("a stranger is banned", () => centre.isBanned("198.51.100.98"));
  assert.equal(await centre.isBanned("2001:db8:0:1::/64"), false);
  const { code, stdout } = await centre.cli("ban", "why", C, "--json");
  assert.equal(code, 0);
  const { logins } = JSON.parse(stdout) as Reply<"ban.show">;
  assert.deepEqual(
    logins?.map(({ host }) => host),
    ["mx1"],
  );
});

test("ban why --trace shows the way of a ban with times, and corrects a host's clock", async () => {
  const connection = await connect({ servers: nats.url });
  try {
    const { streams } = await jetstreamManager(connection);
    const { created, state } = await streams.info(bucketStream(BANS_BUCKET));
    const at = Date.now() + 3_600_000;
    const status: HostStatus = {
      ...{ v: 1, host: "mx2", instance: randomUUID(), version: "1", firewall: "ipset" },
      ...{ startedAt: at, sentAt: at, appliedAt: at - 40, revision: state.last_seq },
      ...{ bansCreated: created, bansInForce: 1, repairs: 0 },
      ...{ addresses: [], sources: [], refused: [], warnings: [] },
    };
    connection.publish(statusSubject("mx2"), encodeHostStatus(status));
    await connection.flush();
  } finally {
    await connection.close();
  }
  const trace = await until("both hosts have said that they have the ban", async () => {
    const { stdout } = await centre.cli("ban", "why", STRANGER, "--trace", "--json");
    const [found] = (JSON.parse(stdout) as Reply<"ban.show">).traces ?? [];
    return found?.applied.length === 2 && found;
  });
  assert.deepEqual(
    trace.steps.map(({ step, where }) => `${step} ${where}`),
    ["logged mx1", "read mx1", "stored NATS", "decided coordinator", "written NATS"],
  );
  for (const [index, { ms }] of trace.steps.entries()) assert.equal(ms === null, index === 0);
  assert.deepEqual(
    trace.clocks.map(({ where }) => where),
    ["mx2"],
  );
  // This coordinator has started after the ban, and hears of both hosts' later revisions.
  assert.ok(trace.applied.every(({ state }) => state !== "not-yet"));
  const { stdout, stderr } = await centre.cli("ban", "why", STRANGER, "--trace");
  assert.match(stdout, /the way of 198.51.100.99 in dovecot\nSTEP +WHERE +TIME \(\S+\) +AFTER\n/);
  assert.match(stdout, /line written +mx1 +\d\d:\d\d:\d\d\.\d{3}\nread, sent +mx1 .* (?:ms|s)/);
  assert.match(stdout, /slowest: .* \(\S+\), /);
  assert.match(stderr, /the clock of mx2 is 360\d\.\d s ahead of the coordinator's/);
});

test("the way of a new ban ends in the kernel of the host that has said so", async () => {
  await centre.fail("198.51.100.97", 3);
  const trace = await until("the host has the ban", async () => {
    const { code, stdout } = await centre.cli("ban", "why", "198.51.100.97", "--trace", "--json");
    const [found] = code === 0 ? ((JSON.parse(stdout) as Reply<"ban.show">).traces ?? []) : [];
    return found?.applied.some(({ host, state }) => host === "mx1" && state === "applied") && found;
  });
  const mx1 = trace.applied.find(({ host }) => host === "mx1");
  assert.ok(mx1?.ms !== null && mx1?.ms !== undefined && mx1.ms < 60_000);
  assert.notEqual(trace.slowest, null);
});

test("when NATS has lost its storage, logins are followed again and those of before are known", async () => {
  await nats.stop();
  await nats.wipe();
  await nats.start();
  const address = parseAddress("198.51.100.96")!;
  const digest = encodeLoginDigest({ v: 1, host: "mx3", logins: [{ address, ago: 5 }] });
  const connection = await connect({ servers: nats.url });
  try {
    await until("the coordinator has made the stream again", async () => {
      const publishing = jetstream(connection).publish(loginsSubject("mx3"), digest);
      return publishing.then(({ stream }) => stream === LOGINS_STREAM).catch(() => false);
    });
  } finally {
    await connection.close();
  }
  await until("a new login makes its address known good", () => isKnownGood(address));
  assert.equal(await isKnownGood(C), true);
});
