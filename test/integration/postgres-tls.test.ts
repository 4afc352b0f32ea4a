/** The record over TLS, as deploy/postgres/README.md has it: checked, or refused with a reason. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import { createAuthority, issueCertificate } from "../../services/cli/key/authority.ts";
import { openDatabase } from "../../services/coordinator/history/database.ts";
import { freePort } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { PASSWORD, startTestCluster } from "../harness/postgres-cluster.ts";

const VALIDITY = { from: Date.now() - 3_600_000, until: Date.now() + 3_600_000 };

/** What the coordinator says first of a database with this URL. */
async function firstWord(url: string): Promise<string> {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const database = openDatabase({ url, log });
  try {
    return await eventually("it is reached, or not", () =>
      lines.find((line) => /is reached|cannot be reached/.test(line)),
    );
  } finally {
    await database.close();
  }
}

test("PostgreSQL is reached by TLS where certificate and name are right, else the reason is said", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-tls-"));
  const [port, authority, other] = await Promise.all([
    freePort(),
    createAuthority("ours", VALIDITY),
    createAuthority("another", VALIDITY),
  ]);
  const server = await issueCertificate(authority, "db", ["localhost"], VALIDITY);
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const right = await file("ca.pem", authority.certificate);
  const wrong = await file("other.pem", other.certificate);
  const settings = {
    ssl: "on",
    ssl_cert_file: await file("server.crt", server.certificate),
    ssl_key_file: await file("server.key", server.key),
  };
  const postgres = await startTestCluster({ folder, port, settings });
  const url = (host: string, ca: string) =>
    `postgresql://fleetban:${PASSWORD}@${host}:${port}/postgres?sslmode=verify-full&sslrootcert=${ca}`;
  try {
    assert.match(await firstWord(url("localhost", right)), /is reached/);
    assert.match(await firstWord(url("localhost", wrong)), /verify the first certificate/);
    assert.match(await firstWord(url("127.0.0.1", right)), /does not match certificate's altnames/);
    assert.match(await firstWord(url("localhost", join(folder, "none.pem"))), /ENOENT.*none\.pem/);
  } finally {
    await postgres.stop("SIGINT");
    await rm(folder, { recursive: true, force: true });
  }
});
