import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import {
  ensureStateReadable,
  readState,
  readStateLines,
  writeState,
} from "../../../../services/agent/state/state-file.ts";
import { needsRoot } from "../../../harness/netns.ts";

const NOBODY = 65_534;

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

test(
  "a state file that may not be read ends the start with a sentence and a remedy, and no stack",
  { skip: needsRoot },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-state-"));
    try {
      const path = join(folder, "jails.json");
      await writeFile(path, "[]", { mode: 0 });
      await chmod(folder, 0o755);
      process.seteuid?.(NOBODY);
      const refusal = {
        name: "PlainError",
        message: `${path}: permission denied: give it back, chown -R fleetban-agent: ${folder}`,
      };
      await assert.rejects(readState(path, z.unknown()), refusal);
      await assert.rejects(readStateLines(path), refusal);
      await assert.rejects(ensureStateReadable(folder), refusal);
    } finally {
      process.seteuid?.(0);
      await rm(folder, { recursive: true });
    }
  },
);
