import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createUser } from "@nats-io/nkeys";
import { readCredentials } from "../../../services/nats/credentials.ts";

/** Writes a file of credentials with this seed, and reads it. */
function readWith(t: TestContext, seed: string) {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-creds-"));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, "mx1.creds");
  const claims = Buffer.from(JSON.stringify({ name: "mx1", iss: "A", nats: {} }));
  const text = `-----BEGIN NATS USER JWT-----
e.${claims.toString("base64url")}.s
------END NATS USER JWT------
-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`;
  writeFileSync(file, text, { mode: 0o600 });
  return readCredentials(file);
}

test("a seed with a character that no seed has is refused before anything is signed with it", (t) => {
  const seed = Buffer.from(createUser().getSeed()).toString();
  assert.equal(readWith(t, seed).seed, seed);
  for (const wrong of ["0", "1", "8", "_", "a"]) {
    const damaged = `${seed.slice(0, 20)}${wrong}${seed.slice(21)}`;
    assert.throws(() => readWith(t, damaged), /holds no credentials/);
  }
});
