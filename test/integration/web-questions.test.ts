/** What the web page asks a coordinator, on a real NATS and PostgreSQL; and `fleetban account show`. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import * as z from "zod";
import { parseNetwork } from "../../services/wire/address.ts";
import { api, type Endpoint, type Reply } from "../../services/wire/api.ts";
import { ERROR_HEADER } from "../../services/wire/api-headers.ts";
import { askerInbox } from "../../services/wire/rights.ts";
import { apiSubject } from "../../services/wire/subjects.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { writeMmdb } from "../harness/mmdb.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

const YAML = `
jails: { dovecot: { knownGood: { factor: 2, within: 1d } }, recidive: { source: bans } }
allowlist: [192.0.2.77]
notify: { whois: { ask: false, databases: [where.mmdb] } }
`;
const [CUSTOMER, ATTACKER, OFFICE] = ["198.51.100.7", "203.0.113.9", "192.0.2.77"];
const addressOf = (text: string) => parseNetwork(text)!;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;
let connection: NatsConnection;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-web-questions-"));
  const where = { country: "DE", asn: 64496, as_name: "Example Ltd" };
  await writeMmdb(join(folder, "where.mmdb"), "203.0.113.0/24", where);
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  centre = await startCentre({ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: YAML });
  connection = await connect({ servers: nats.url, inboxPrefix: askerInbox("test") });
});

after(async () => {
  await connection.close();
  await centre[Symbol.asyncDispose]();
  await Promise.all([nats[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
  await rm(folder, { recursive: true, force: true });
});

async function ask<E extends Endpoint>(endpoint: E, request: object): Promise<Reply<E>> {
  const [noun = "", verb = ""] = endpoint.split(".");
  const question = Buffer.from(JSON.stringify(request));
  const message = await connection.request(apiSubject(noun, verb, "test", "operator"), question, {
    timeout: 20_000,
  });
  const error = message.headers?.get(ERROR_HEADER);
  if (error) throw new Error(error);
  const schema = api[endpoint].reply as unknown as z.ZodType<Reply<E>>;
  return schema.parse(message.json());
}

const sum = (counts: readonly number[] | null) => (counts ?? []).reduce((a, b) => a + b, 0);
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

async function fail(address: string, user: string, count: number): Promise<void> {
  const lines = Array.from({ length: count }, () => failedLogin({ address, user }));
  await appendFile(join(folder, "mail.log"), lines.join(""));
}

async function login(address: string): Promise<void> {
  const stamp = new Date().toISOString().replace("Z", "000+00:00");
  const elements = `user=<bob>, method=PLAIN, rip=${address}, lip=192.0.2.25, mpid=7, TLS`;
  const line = `${stamp} mx dovecot: imap-login: Login: ${elements}, session=<a1>\n`;
  await appendFile(join(folder, "mail.log"), line);
}

test("failures and bans are in the rates, in the series and in the account", async () => {
  await login(CUSTOMER);
  await eventually("the customer is known", async () =>
    /known good +yes/.test((await centre.cli("ban", "why", CUSTOMER)).stdout),
  );
  await fail(CUSTOMER, "alice@example.org", 2);
  await fail(ATTACKER, "alice@example.org", 4);
  await fail(ATTACKER, "root", 3);
  await eventually("the attacker is banned", () => centre.isBanned(ATTACKER));
  const rates = await eventually("the rates have all of it", async () => {
    const found = await ask("rate.show", {});
    return sum(found.failures) === 9 && sum(found.bans) === 1 && found;
  });
  assert.equal(rates.failures.length * rates.stepSeconds, 3_600);
  assert.ok(rates.knownSince < Date.now() - 2 * 1_200_000 + 60_000, "two findtimes were read");

  await eventually("all of it is on record", async () => {
    const { attempts, bans } = await ask("series.show", { since: daysAgo(1) });
    return sum(attempts) === 9 && sum(bans) === 1;
  });
  const ofUser = await ask("series.show", { since: daysAgo(1), user: "alice@example.org" });
  assert.deepEqual([sum(ofUser.attempts), ofUser.bans], [6, null]);

  const account = await ask("account.show", { user: "alice@example.org", since: daysAgo(1) });
  assert.deepEqual(
    account.addresses.map(({ address, attempts, isBanned, lastLoginAt, about }) => [
      ...[address, attempts, isBanned, lastLoginAt !== null, about],
    ]),
    [
      [ATTACKER, 4, true, false, "DE, AS64496 Example Ltd"],
      [CUSTOMER, 2, false, true, null],
    ],
  );
  assert.deepEqual(account.hosts, [{ name: "mx1", attempts: 6, about: null }]);
  assert.deepEqual([account.attempts, account.addressCount, account.knowsLogins], [6, 2, true]);
});

test("account show prints who attacks a mailbox", async () => {
  const { code, stdout, stderr } = await centre.cli("account", "show", "alice@example.org");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^alice@example\.org: 6 failed attempts from 2 addresses since /);
  assert.match(
    stdout,
    /^ADDRESS +ATTEMPTS +FIRST \(\S+\) +LAST \(\S+\) +BANNED +LAST LOGIN +WHOSE$/m,
  );
  assert.match(stdout, /^203\.0\.113\.9 +4 .* yes +- +DE, AS64496 Example Ltd$/m);
  assert.match(stdout, /^198\.51\.100\.7 +2 .* no +20\d\d-.* -$/m);
  assert.match(stdout, /^mx1 +6$/m);
  const hostile = await centre.cli("account", "show", "a\u001b]0;x\u0007\u202eb", "--since", "1h");
  assert.equal(hostile.code, 0);
  assert.doesNotMatch(hostile.stdout, /[\u0007\u001b\u202e]/);
  assert.match(hostile.stdout, /0 failed attempts since/);
  const slip = await centre.cli("account", "show", "x", "--since", "1h", "--until", "2h");
  assert.equal(slip.code, 64);
});

test("about says what the databases know, in the order of the request", async () => {
  const { about } = await ask("about.show", { addresses: [CUSTOMER, ATTACKER, "2001:db8::1"] });
  const known = { country: "DE", asn: 64496, organization: "Example Ltd" };
  assert.deepEqual(about, [null, known, null]);
  await assert.rejects(ask("about.show", { addresses: ["010.0.0.1"] }), /expected/);
  const many = Array.from({ length: 101 }, () => ATTACKER);
  await assert.rejects(ask("about.show", { addresses: many }), /at most 100 addresses/);
});

test("a simulation of today's numbers finds today's bans, and spares whom the fleet spares", async () => {
  await fail(OFFICE, "scanner", 12);
  await eventually("all of it is on record", async () => {
    const { attempts } = await ask("series.show", { since: daysAgo(1) });
    return sum(attempts) === 21;
  });
  const reply = await ask("simulation.show", { jail: "dovecot", days: 1, maxretry: 2 });
  assert.deepEqual([reply.failures, reply.isWhole], [21, true]);
  assert.deepEqual(reply.today, { bans: 1, addresses: 1, prevented: 2, knownGood: 0 });
  // The customer has logged in, so twice the count would be needed.
  assert.deepEqual(reply.proposed, { bans: 1, addresses: 1, prevented: 5, knownGood: 0 });
  const strict = await ask("simulation.show", { jail: "dovecot", days: 1, maxretry: 1 });
  assert.deepEqual(strict.proposed, { bans: 2, addresses: 2, prevented: 6, knownGood: 1 });
  await assert.rejects(ask("simulation.show", { jail: "recidive", days: 1 }), /counts bans/);
  assert.equal(await centre.isBanned(CUSTOMER), false, "nothing has happened");
});

test("a coordinator that starts again knows the last findtimes", async () => {
  const since = Date.now();
  await centre.coordinator.stop();
  await centre.coordinator.start();
  await eventually("it has read the failures and the bans", async () => {
    const found = await ask("rate.show", {}).catch(() => undefined);
    return found && sum(found.failures) === 21 && sum(found.bans) === 1;
  });
  const { knownSince } = await ask("rate.show", {});
  assert.ok(knownSince >= since - 2 * 1_200_000, "it does not claim to know more");
});

test("without PostgreSQL the rates are there, and the record's answers say why they are not", async () => {
  await postgres[Symbol.asyncDispose]();
  await eventually("the record cannot be asked", () =>
    ask("series.show", { since: daysAgo(1) }).then(
      () => false,
      () => true,
    ),
  );
  const sentence =
    /PostgreSQL cannot be asked \(127\.0\.0\.1:\d+: cannot be reached\): bans and commands go on, and are recorded later; start PostgreSQL, then ask again$/;
  await assert.rejects(ask("series.show", { since: daysAgo(1) }), sentence);
  await assert.rejects(ask("account.show", { user: "x", since: daysAgo(1) }), sentence);
  await assert.rejects(ask("simulation.show", { jail: "dovecot", days: 1 }), sentence);
  assert.equal(sum((await ask("rate.show", {})).failures), 21);
  assert.deepEqual((await ask("about.show", { addresses: [addressOf(CUSTOMER)] })).about, [null]);
});
