/**
 * Programs that run as children of this process and end with it: in order when
 * it stops them, by the kernel's parent-death signal when it is killed.
 */
import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { EXIT, PlainError } from "../process/exit.ts";

export interface Child {
  readonly pid: number;
  /** Resolves when the program has ended, with its exit code or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Sends `signal` and waits for the end; SIGKILL after `patienceMs`. */
  stop(signal?: NodeJS.Signals, patienceMs?: number): Promise<void>;
  /** The last lines that it wrote, for a message about its death. */
  lastWords(): string;
}

/** How one program is started: inside a network namespace, for instance. */
export type Spawn = (
  command: string,
  args: readonly string[],
  options: SpawnOptions,
) => ChildProcess;

export interface ChildOptions {
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  spawn?: Spawn;
  /** Gets every chunk of its stdout and stderr. */
  onOutput?: (chunk: Buffer) => void;
}

const LAST_WORDS_BYTES = 4_000;
const READY_WITHIN_MS = 30_000;

/**
 * The command line under which a program gets SIGTERM when its parent dies.
 * A change of credentials after it (unshare, sudo) would clear that again.
 */
export function endingWithParent(commandLine: readonly string[]): [string, ...string[]] {
  return ["setpriv", "--pdeathsig", "TERM", "--", ...commandLine];
}

export async function startChild(command: string, options: ChildOptions): Promise<Child> {
  const start = options.spawn ?? spawn;
  const [program, ...args] = endingWithParent([command, ...options.args]);
  const child = start(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C in the terminal reaches us alone, and we end it in order.
    detached: true,
    ...(options.env && { env: options.env }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let words = Buffer.alloc(0);
  const listen = (chunk: Buffer) => {
    words = Buffer.concat([words, chunk]).subarray(-LAST_WORDS_BYTES);
    options.onOutput?.(chunk);
  };
  child.stdout?.on("data", listen);
  child.stderr?.on("data", listen);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 0));
  });
  await once(child, "spawn");
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command}: has no process id`);
  return {
    pid,
    ended,
    async stop(signal = "SIGTERM", patienceMs = 10_000) {
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
      await ended;
      clearTimeout(timer);
    },
    lastWords: () => words.toString().trimEnd(),
  };
}

/**
 * Polls `isReady` until it is. Throws a PlainError with the child's last words, or with what
 * `whyNot` says, when it ends before or is not ready within 30 s.
 */
export async function untilReady(
  what: string,
  child: Child,
  isReady: () => Promise<boolean>,
  whyNot = () => child.lastWords(),
): Promise<void> {
  let end: number | NodeJS.Signals | undefined;
  void child.ended.then((status) => (end = status));
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!(await isReady())) {
    if (end !== undefined) {
      throw new PlainError(`${what} ended with ${end}:\n${child.lastWords()}`, EXIT.unavailable);
    }
    if (performance.now() > deadline) {
      const seconds = READY_WITHIN_MS / 1000;
      throw new PlainError(`${what}: not ready after ${seconds} s: ${whyNot()}`, EXIT.unavailable);
    }
    await pause(10);
  }
}

/** A TCP port on 127.0.0.1 that nobody listened on a moment ago: `wanted`, or another one. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer().listen(wanted, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    if (wanted === 0) throw error;
    return freePort();
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
