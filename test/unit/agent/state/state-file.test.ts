import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeState } from "../../../../services/agent/state/state-file.ts";

test("writes of one state file that are asked for at once all succeed, and the last one wins", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-state-"));
  try {
    const path = join(folder, "jails.json");
    // The earlier, the longer: without an order the first would be done last.
    const writes = Array.from({ length: 40 }, (_, n) =>
      writeState(path, { n, padding: "x".repeat(20_000 * (40 - n)) }),
    );
    await Promise.all(writes);
    const { n } = JSON.parse(await readFile(path, "utf8")) as { n: number };
    assert.equal(n, 39);
    assert.deepEqual(await readdir(folder), ["jails.json"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
