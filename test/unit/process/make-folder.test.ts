import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../../../services/process/make-folder.ts";

test("a folder is made with those above it, for its owner alone, and may be there already", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-folder-"));
  try {
    const inner = join(folder, "a/b/c");
    await makeFolder(inner);
    await makeFolder(inner);
    assert.equal((await stat(inner)).mode & 0o777, 0o700);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("where the kernel makes no folders it fails at once", async () => {
  await assert.rejects(makeFolder("/proc/fleetban/state"), { code: "ENOENT" });
});
