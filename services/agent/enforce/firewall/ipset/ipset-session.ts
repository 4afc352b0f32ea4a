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

/** A step that was given to ipset and is not answered yet. */
interface Waiting {
  /** Names the command behind the step that must fail. */
  mark: string;
  said: string[];
  resolve: (said: string) => void;
  reject: (error: FirewallError) => void;
}

export function createIpsetSession(start: Start): IpsetSession {
  return new MarkedSession(start);
}

class MarkedSession implements IpsetSession {
  readonly #start: Start;
  /** undefined: none runs, and the next call starts one. */
  #child: ChildProcess | undefined;
  /** In the order in which ipset answers. */
  #waiting: Waiting[] = [];
  /** Steps so far, for their marks. */
  #steps = 0;
  /** Runs while an answer is awaited. */
  #patience: NodeJS.Timeout | undefined;

  constructor(start: Start) {
    this.#start = start;
  }

  run(steps: readonly (readonly string[])[]): Promise<string[]> {
    const { stdin } = this.#started();
    const script: string[] = [];
    const answers = steps.map((lines) => {
      this.#steps += 1;
      const mark = `fleetban-mark-${this.#steps}.`;
      script.push(...lines, `create fleetban-mark ${mark}`);
      return this.#answerAt(mark);
    });
    stdin?.write(`${script.join("\n")}\n`);
    return Promise.all(answers);
  }

  close(): void {
    clearTimeout(this.#patience);
    const child = this.#child;
    this.#child = undefined;
    child?.stdin?.end();
  }

  #started(): ChildProcess {
    if (this.#child) return this.#child;
    const child = this.#start("ipset", ["-"], { stdio: ["pipe", "ignore", "pipe"] });
    this.#child = child;
    child.stdin?.on("error", () => {}); // EPIPE: "exit" tells why
    if (child.stderr) {
      createInterface({ input: child.stderr }).on("line", (line) => this.#listen(line));
    }
    child.once("error", (error) => {
      if (this.#child === child) this.#giveUp("cannot start", error);
    });
    child.once("exit", (code, signal) => {
      if (this.#child === child) this.#giveUp(`ended with ${code ?? signal}`);
    });
    return child;
  }

  /** What ipset says before it names the mark. */
  #answerAt(mark: string): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      this.#waiting.push({ mark, said: [], resolve, reject });
      if (this.#waiting.length === 1) this.#startPatience();
    });
  }

  #listen(line: string): void {
    const [first] = this.#waiting;
    if (!first) return;
    if (!line.includes(first.mark)) {
      first.said.push(line);
      return;
    }
    this.#waiting.shift();
    clearTimeout(this.#patience);
    if (this.#waiting.length > 0) this.#startPatience();
    first.resolve(first.said.join("; "));
  }

  #startPatience(): void {
    const late = () => this.#giveUp(`no answer for ${ANSWER_WITHIN_MS} ms`);
    this.#patience = setTimeout(late, ANSWER_WITHIN_MS);
  }

  #giveUp(reason: string, cause?: unknown): void {
    clearTimeout(this.#patience);
    const lost = this.#waiting;
    this.#waiting = [];
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
    const error = new FirewallError(`ipset -: ${reason}`, { cause });
    for (const { reject } of lost) reject(error);
  }
}
