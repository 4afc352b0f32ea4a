import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compileScript, openCompiled } from "../../../services/cli/compiled-script.ts";

test("the script runs with its compiled code, with another program's code, and without any", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-compiled-"));
  try {
    const file = join(folder, "run.cjs");
    const log = join(folder, "log");
    const append = 'require("node:fs").appendFileSync(__dirname + "/log", "ran ")';
    writeFileSync(file, `module.exports = { run: async () => { ${append}; } }; // a comment`);
    await compileScript(file);
    const code = readFileSync(`${file}.code`);
    await openCompiled(file).run();
    writeFileSync(`${file}.code`, code.subarray(0, 40));
    await openCompiled(file).run();
    rmSync(`${file}.code`);
    await openCompiled(file).run();
    assert.equal(readFileSync(log, "utf8"), "ran ran ran ran ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
