import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PROGRAMS } from "../../deploy/package/programs.ts";
import { ensureArtifacts } from "../harness/artifacts.ts";

/** What the oldest of the systems that packages are made for have: EL 9; Ubuntu 22.04 has 2.35 and 3.4.30. */
const OLDEST = { GLIBC: "2.34", GLIBCXX: "3.4.29" } as const;

const skip = existsSync("/usr/bin/objdump") ? false : "needs objdump: deploy/setup package";

test("the executables need no newer libraries than EL 9 and Ubuntu 22.04 have", { skip }, (t) => {
  const { folder } = ensureArtifacts();
  for (const { name } of PROGRAMS) {
    const symbols = execFileSync("objdump", ["-T", join(folder, name)], {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    for (const [library, oldest] of Object.entries(OLDEST)) {
      const pattern = new RegExp(`\\(${library}_([\\d.]+)\\)`, "g");
      const versions = [...symbols.matchAll(pattern)].map(([, version = ""]) => version);
      const newest = versions.sort(byNumbers).at(-1) ?? "";
      t.diagnostic(`${name} needs ${library} ${newest}, EL 9 has ${oldest}`);
      assert.match(newest, /^\d/, library);
      assert.ok(byNumbers(newest, oldest) <= 0, `${library} ${newest}`);
    }
  }
});

/** 2.9 comes before 2.28. */
function byNumbers(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}
