import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";

const MODULE = new URL("../../../services/process/end-signals.ts", import.meta.url).href;
const SCRIPT = `
  import { onEndSignals } from ${JSON.stringify(MODULE)};
  setInterval(() => {}, 1000);
  onEndSignals(() => console.log("first"), () => process.exit(7));
  console.log("ready");`;

test("a Ctrl-C that npm passes on once more is one; who sends another a second later means it", async () => {
  const args = ["--import", "tsx", "--input-type=module", "--eval", SCRIPT];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, "ready");
    child.kill("SIGINT");
    child.kill("SIGHUP");
    assert.equal((await lines.next()).value, "first");
    // It insists until it is heard: signals within a second are the same wish.
    const insisting = setInterval(() => child.kill("SIGINT"), 50);
    const [code] = (await ended.finally(() => clearInterval(insisting))) as [number | null];
    assert.equal(code, 7);
    assert.equal((await lines.next()).done, true);
  } finally {
    child.kill("SIGKILL");
  }
});
