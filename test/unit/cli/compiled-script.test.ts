import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import {
  compileScript,
  openCompiled,
  type RunModule,
} from "../../../services/cli/compiled-script.ts";

const load = createRequire(import.meta.url);

/** As `deploy/build` wraps a script. */
const wrapped = (source: string) =>
  `(function (require, exports, module, __filename, __dirname) {${source}\n})`;

test("the script runs with its compiled code, with another program's code, and without any", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-compiled-"));
  try {
    const file = join(folder, "run.cjs");
    const other = join(folder, "other.cjs");
    const log = join(folder, "log");
    const append = 'require("node:fs").appendFileSync(__dirname + "/log", word() + " ")';
    writeFileSync(other, wrapped('exports.word = () => "ran"; exports.times = { read: 0 };'));
    const countReads =
      'const { word } = require("./other.cjs"); require("./other.cjs").times.read++;';
    const isOne = 'if (require("./other.cjs").times.read !== 1) throw new Error("read twice");';
    const run = `module.exports = { run: async () => { ${countReads} ${isOne} ${append}; } };`;
    writeFileSync(file, wrapped(`${run} // a comment`));
    await compileScript(file, load, ({ run }: RunModule) => run());
    await compileScript(other, load);
    const code = readFileSync(`${file}.code`);
    assert.ok(readFileSync(`${other}.code`).length > 0);
    await openCompiled(file, load).run();
    writeFileSync(`${file}.code`, code.subarray(0, 40));
    await openCompiled(file, load).run();
    rmSync(`${file}.code`);
    rmSync(`${other}.code`);
    await openCompiled(file, load).run();
    assert.equal(readFileSync(log, "utf8"), "ran ran ran ran ");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
