/**
 * One long-lived `ipset -` (its interactive mode), for changes a few at a time:
 * starting a process for each would cost some 4 ms, this costs some 0.3 ms.
 *
 * Its prompts on stdout are buffered, but what it says on stderr comes at once, and
 * an error does not end it. So every step is followed by a command that must fail and
 * whose error names a number: what stderr says before that belongs to the step.
 */
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { FirewallError, type Start } from "../command.ts";

export interface IpsetSession {
  /** Runs the lines of each step in order; returns for each what ipset said on stderr. */
  run(steps: readonly (readonly string[])[]): Promise<string[]>;
  close(): void;
}

/** A step has no answer for this long: the process is given up, and the next call starts another. */
const ANSWER_WITHIN_MS = 5_000;

interface Waiting {
  mark: string;
  said: string[];
  resolve: (said: string) => void;
  reject: (error: FirewallError) => void;
}

export function createIpsetSession(start: Start): IpsetSession {
  let child: ChildProcess | undefined;
  let queue: Waiting[] = [];
  let count = 0;
  let timer: NodeJS.Timeout | undefined;

  function giveUp(reason: string, cause?: unknown): void {
    clearTimeout(timer);
    const lost = queue;
    queue = [];
    child?.kill("SIGKILL");
    child = undefined;
    const error = new FirewallError(`ipset -: ${reason}`, { cause });
    for (const waiting of lost) waiting.reject(error);
  }

  function listen(line: string): void {
    const [first] = queue;
    if (!first) return;
    if (!line.includes(first.mark)) {
      first.said.push(line);
      return;
    }
    queue.shift();
    clearTimeout(timer);
    if (queue.length > 0) watch();
    first.resolve(first.said.join("; "));
  }

  function watch(): void {
    timer = setTimeout(giveUp, ANSWER_WITHIN_MS, `no answer for ${ANSWER_WITHIN_MS} ms`);
  }

  function started(): ChildProcess {
    if (child) return child;
    const session = start("ipset", ["-"], { stdio: ["pipe", "ignore", "pipe"] });
    child = session;
    session.stdin?.on("error", () => {}); // EPIPE: "exit" tells why
    if (session.stderr) createInterface({ input: session.stderr }).on("line", listen);
    session.once("error", (error) => {
      if (child === session) giveUp("cannot start", error);
    });
    session.once("exit", (code, signal) => {
      if (child === session) giveUp(`ended with ${code ?? signal}`);
    });
    return session;
  }

  return {
    run(steps) {
      const { stdin } = started();
      const script: string[] = [];
      const answers = steps.map(
        (lines) =>
          new Promise<string>((resolve, reject) => {
            count += 1;
            const mark = `fleetban-mark-${count}.`;
            script.push(...lines, `create fleetban-mark ${mark}`);
            if (queue.push({ mark, said: [], resolve, reject }) === 1) watch();
          }),
      );
      stdin?.write(`${script.join("\n")}\n`);
      return Promise.all(answers);
    },
    close() {
      clearTimeout(timer);
      const session = child;
      child = undefined;
      session?.stdin?.end();
    },
  };
}
