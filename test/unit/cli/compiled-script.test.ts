import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { compileScript, openCompiled } from "../../../services/cli/compiled-script.ts";

const load = createRequire(import.meta.url);

test("the script runs with its compiled code, with another program's code, and without any", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-compiled-"));
  try {
    const file = join(folder, "run.cjs");
    const log = join(folder, "log");
    const append = 'require("node:fs").appendFileSync(__dirname + "/log", "ran ")';
    writeFileSync(file, `module.exports = { run: async () => { ${append}; } }; // a comment`);
    await compileScript(file, load);
    const code = readFileSync(`${file}.code`);
    await openCompiled(file, load).run();
    writeFileSync(`${file}.code`, code.subarray(0, 40));
    await openCompiled(file, load).run();
    rmSync(`${file}.code`);
    await openCompiled(file, load).run();
    assert.equal(readFileSync(log, "utf8"), "ran ran ran ran ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
