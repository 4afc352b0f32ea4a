import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { Readable, type Writable } from "node:stream";
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

/** Text for a command's stdin, or pieces of it, which are made while the command reads. */
export type Input = string | Iterable<string>;

/** Runs one command of the firewall tools to its end, never through a shell; returns its stdout. */
export type Run = (command: string, args: readonly string[], stdin?: Input) => Promise<string>;

/** As many lines as take less than a millisecond to put together. */
const LINES_IN_A_PIECE = 256;

/** A script that may have a line for every ban: everything else has its turn between its pieces. */
export function* inPieces(lines: Iterable<string>): Iterable<string> {
  let piece: string[] = [];
  for (const line of lines) {
    piece.push(line);
    if (piece.length < LINES_IN_A_PIECE) continue;
    yield `${piece.join("\n")}\n`;
    piece = [];
  }
  if (piece.length > 0) yield `${piece.join("\n")}\n`;
}

/** A command that ends early does not read all of it: its exit status tells why. */
function feed(stdin: Writable, input: Input, onUnmade: (error: unknown) => void): void {
  stdin.on("error", () => {}); // EPIPE
  if (typeof input === "string") stdin.end(input);
  else Readable.from(input).once("error", onUnmade).pipe(stdin);
}

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
  const exit = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
    feed(child.stdin, stdin, (error) => {
      child.kill();
      reject(error instanceof Error ? error : new Error(String(error)));
    });
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
