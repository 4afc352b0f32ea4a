/** The `fleetban` program as an operator's shell runs it, and the same commands without a process. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { loadCommands } from "../../services/cli/commands.ts";
import { fleetbanProgram } from "../../services/cli/program.ts";
import { runProgram } from "../../services/process/program.ts";

export interface Answer {
  code: number | null;
  stdout: string;
  stderr: string;
}

const ROOT = join(import.meta.dirname, "../..");

/** What node is given to run a program: built where `npm test` has built it, else its source. */
export function programArguments(program: "cli" | "coordinator" | "agent"): string[] {
  if (process.env["FLEETBAN_TEST_BUILT"] === "1") {
    return [
      join(ROOT, program === "cli" ? "dist/cli/main.cjs" : `dist/services/${program}/main.js`),
    ];
  }
  const source = join(ROOT, `services/${program}/main.ts`);
  return ["--import", import.meta.resolve("tsx"), source];
}

/**
 * Starts it with nothing of this machine's settings: only `environment` and
 * `folder` say where the server is.
 */
export function spawnFleetban(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  folder = tmpdir(),
) {
  return spawn(process.execPath, [...programArguments("cli"), ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", TZ: "UTC", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export async function runFleetban(...how: Parameters<typeof spawnFleetban>): Promise<Answer> {
  return answerOf(spawnFleetban(...how));
}

/**
 * Runs the command in this process: the same code, output and exit code, for a hundredth of the
 * time. Tests that wait ask again and again.
 */
export async function fleetban(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  process.env["TZ"] = "UTC"; // as the program is given it
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const io = { stdin: stdin.end(), stdout, stderr };
  const home = environment["HOME"] ?? "/nonexistent";
  const surroundings = { folder: tmpdir(), packageRoot: ROOT, home, uid: process.getuid?.() };
  const who = "tester@test";
  const commands = await loadCommands(args[0]);
  const { program, client } = fleetbanProgram({ io, environment, surroundings, who }, commands);
  const printed = Promise.all([text(stdout), text(stderr)]);
  try {
    const code = await runProgram(program, ["node", "fleetban", ...args], stderr);
    stdout.end();
    stderr.end();
    const [out, err] = await printed;
    return { code, stdout: out, stderr: err };
  } finally {
    await client.close();
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const [stdout, stderr, [code]] = await Promise.all([
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
