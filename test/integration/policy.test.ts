/**
 * Options of a jail's policy, on a real NATS and PostgreSQL, a coordinator and an agent of dist/:
 * failures of several hosts go in, and the CLI says what was decided, and why.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { parseNetwork } from "../../services/wire/address.ts";
import type { Reply } from "../../services/wire/api.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import {
  startTestNats,
  startTestPostgres,
  type TestNats,
  type TestPostgres,
} from "../harness/servers.ts";

const PATIENCE_SECONDS = 60;
const POLICY = `
jails:
  dovecot: {}
  domains: { domains: 2 }
`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;
let connection: NatsConnection;
let position = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-policy-"));
  nats = await startTestNats();
  postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const natsUrl = nats.url;
  centre = await startCentre({ folder, natsUrl, databaseUrl, coordinatorYaml: POLICY });
  connection = await connect({ servers: natsUrl });
});

after(async () => {
  await connection.close();
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Failures of one address, as an agent of `host` publishes them. */
async function report(
  jail: string,
  host: string,
  address: string,
  { attempts = 1, user }: { attempts?: number; user?: string } = {},
): Promise<void> {
  position += 1;
  const failure = { position, address: parseNetwork(address)!, at: Date.now(), attempts, user };
  const batch = { host, jail, source: "mail-log", epoch: "e1", sentAt: Date.now() };
  const range = { from: position - 1, to: position };
  const failures = [{ ...failure, form: "test" }];
  const bytes = encodeFailureBatch({ v: 1, ...batch, ...range, failures });
  await jetstream(connection).publish(failureSubject(jail, host), bytes);
}

const until = <T>(what: string, ask: () => Promise<T>) => eventually(what, ask, PATIENCE_SECONDS);

async function banOf(address: string) {
  const { stdout } = await centre.cli("ban", "list", "--address", address, "--json");
  return (JSON.parse(stdout) as Reply<"ban.list">).bans[0];
}

async function print(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await centre.cli(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("an address that fails for users of two unrelated mail domains is banned, and why says so", async () => {
  const address = "198.51.100.1";
  for (const user of ["bob@x.org", "eve@mail.x.org", "mallory"]) {
    await report("domains", "mx1", address, { user });
  }
  await report("domains", "mx2", "198.51.100.2", { attempts: 5 }); // Everything before is counted.
  await until("the other address is banned", () => banOf("198.51.100.2"));
  assert.equal(await banOf(address), undefined);
  await report("domains", "mx2", address, { user: "bob@x.net" });
  await until("the address is banned", () => banOf(address));
  const why = await print("ban", "why", address);
  assert.match(why, /because +2 mail domains in 4 failures on 2 hosts/);
  assert.match(why, /user names of 2 mail domains that are not related is banned before maxretry/);
});
