/** The `fleetban` program as an operator's shell runs it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Spawn } from "../../services/standalone/child.ts";

export interface Answer {
  code: number | null;
  stdout: string;
  stderr: string;
}

const ROOT = join(import.meta.dirname, "../..");

/** What node is given to run a program: built where `npm test` has built it, else its source. */
export function programArguments(program: "cli" | "coordinator" | "agent"): string[] {
  if (process.env["FLEETBAN_TEST_BUILT"] === "1") {
    return [join(ROOT, `dist/services/${program}/main.js`)];
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

/** The same of dist/, which starts sooner. */
export async function runBuiltFleetban(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  start: Spawn = spawn,
): Promise<Answer> {
  const program = join(ROOT, "dist/cli/main.cjs");
  const child = start(process.execPath, [program, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", TZ: "UTC", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return answerOf(child);
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const [stdout, stderr, [code]] = await Promise.all([
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
