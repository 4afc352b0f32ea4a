import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createOutput } from "../../../services/cli/output.ts";

function capture(isTTY: boolean, environment: Record<string, string> = {}) {
  const stdout = Object.assign(new PassThrough(), { isTTY });
  const stderr = new PassThrough();
  const output = createOutput({ stdout, stderr, environment });
  const written = (stream: PassThrough) => String(stream.read() ?? "");
  return { output, stdout: () => written(stdout), stderr: () => written(stderr) };
}

const ROWS = [["HOST"], [{ text: "mx1", color: "red" }]] as const;

test("there is color on a terminal only, and not where NO_COLOR forbids it", () => {
  for (const [isTTY, environment, shown] of [
    [true, {}, "\x1b[1mHOST\x1b[22m\n\x1b[31mmx1\x1b[39m\n"],
    [true, { NO_COLOR: "1" }, "HOST\nmx1\n"],
    [true, { TERM: "dumb" }, "HOST\nmx1\n"],
    [false, {}, "HOST\nmx1\n"],
  ] as const) {
    const { output, stdout } = capture(isTTY, environment);
    output.table(ROWS);
    assert.equal(stdout(), shown);
  }
});

test("the answer goes to stdout and the rest to stderr, and neither drives the terminal", () => {
  const { output, stdout, stderr } = capture(true);
  output.line("a\x1b[2Jb\nc");
  assert.equal(stdout(), "a\\x1b[2Jb\\x0ac\n");
  output.note("n\x9bo");
  assert.deepEqual([stdout(), stderr()], ["", "n\\x9bo\n"]);
  output.facts([["user", "\u202eevil"]]);
  assert.equal(stdout(), "user  \\u202eevil\n");
});
