/** Runs a program with a message on its standard input: an argument vector, never a shell. */
import { spawn } from "node:child_process";
import { plainLine } from "../message/plain-text.ts";
import type { Outcome } from "../sink.ts";

export interface ProgramRun {
  command: readonly string[];
  input: string | Buffer;
  withinMs: number;
}

/** As much of what the program says as a reason needs. */
const MOST_SAID = 2_048;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Taken with exit code 0; anything else is tried again. The program gets no secrets of ours. */
export function runProgram({ command, input, withinMs }: ProgramRun): Promise<Outcome> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    let said = "";
    const failed = (reason: string) => {
      resolve({ type: "retry", reason: plainLine(`${program}: ${reason}`, 400) });
    };
    const child = spawn(program, args, {
      env: { PATH, LANG: "C.UTF-8" },
      stdio: ["pipe", "ignore", "pipe"],
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      failed(`has not ended within ${withinMs / 1000} s`);
    }, withinMs);
    child.stderr.on("data", (chunk: Buffer) => {
      if (said.length < MOST_SAID) said += chunk.toString();
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      failed(error.message);
    });
    // It may end without having read everything.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    // Not "close": a grandchild may keep the pipe.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve({ type: "sent" });
      else failed(`ended with ${signal ?? code}${said === "" ? "" : `: ${said}`}`);
    });
  });
}
