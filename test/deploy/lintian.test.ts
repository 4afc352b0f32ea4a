import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { PROGRAMS } from "../../deploy/package/programs.ts";
import { ensureArtifacts } from "../harness/artifacts.ts";
import { runProgram } from "./program.ts";

const skip = existsSync("/usr/bin/lintian") ? false : "needs lintian: deploy/setup deploy";

test("lintian finds no error and nothing to warn of in the Debian packages", { skip }, async () => {
  const { debianPackage } = ensureArtifacts();
  const packages = PROGRAMS.map(({ name }) => debianPackage(name));
  const args = ["--allow-root", "--fail-on", "error,warning", ...packages];
  const { code, stdout, stderr } = await runProgram(spawn, "lintian", args);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stdout, "");
});
