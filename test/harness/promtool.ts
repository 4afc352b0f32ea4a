/** promtool, of Debian's package prometheus: it checks metrics, rules and the tests of rules. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** What it has printed, and its exit code. */
export async function promtool(
  args: readonly string[],
  { input = "", folder }: { input?: string; folder?: string } = {},
): Promise<{ code: number | null; output: string }> {
  const child = spawn("promtool", args, { cwd: folder, stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "close") as Promise<[number | null]>;
  child.stdin.on("error", () => {}); // A promtool that is not there reads nothing.
  child.stdin.end(input);
  const [out, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, output: out + errors };
}
