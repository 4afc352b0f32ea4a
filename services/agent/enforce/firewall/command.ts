import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { text } from "node:stream/consumers";
import { EXIT, PlainError } from "../../../process/exit.ts";

/** A firewall command could not be started, or it failed: the firewall cannot be used, 69. */
export class FirewallError extends PlainError {
  override name = "FirewallError";
  constructor(message: string, options?: ErrorOptions) {
    super(message, EXIT.unavailable, options);
  }
}

/** As a status holds it: 256 characters at most, of the line that says what is wrong. */
export function shortReason(message: string): string {
  return (message.split("\n")[0] ?? "").slice(0, 256);
}

/** Runs one command of the firewall tools to its end, never through a shell; returns its stdout. */
export type Run = (command: string, args: readonly string[], stdin?: string) => Promise<string>;

/** Starts a command that stays. */
export type Start = (
  command: string,
  args: readonly string[],
  options: SpawnOptions,
) => ChildProcess;

export const start: Start = (command, args, options) => spawn(command, args, options);

/** Characters. nft repeats the line that it refuses, which may hold every ban there is. */
const LONGEST_LINE = 1_000;

export const run: Run = async (command, args, stdin = "") => {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => {}); // EPIPE: the exit status below tells why
  child.stdin.end(stdin);
  const exit = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const commandLine = [command, ...args].join(" ");
  try {
    const [stdout, stderr, status] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      exit,
    ]);
    if (status !== 0) {
      const lines = stderr.trim().split("\n");
      const said = lines.map((line) => line.slice(0, LONGEST_LINE)).join("\n");
      throw new FirewallError(`${commandLine}: exit ${status}: ${said}`);
    }
    return stdout;
  } catch (error) {
    if (error instanceof FirewallError) throw error;
    throw new FirewallError(`${commandLine}: cannot start`, { cause: error });
  }
};
