/** A program run to its end, whatever its end is. */
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { SpawnOptions } from "node:child_process";
import type { Spawn } from "../../services/standalone/child.ts";

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export async function runProgram(
  spawn: Spawn,
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, "env" | "cwd"> = {},
): Promise<Finished> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error(`${command}: has no pipes`);
  const closed = once(child, "close");
  const [out, err] = await Promise.all([text(stdout), text(stderr)]);
  await closed;
  return { code: child.exitCode, stdout: out, stderr: err };
}
