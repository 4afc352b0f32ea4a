/** A process that a bench asks from outside: it runs inside the namespace of a host. */
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { AgentHost } from "../harness/agent-host.ts";

export interface HostProcess {
  /** Resolves to the time that the process answers with, by the monotonic clock. */
  ask(line: string): Promise<number>;
  stop(): void;
}

/** `script` is a file of this folder that answers each line of its input with a time. */
export function startHostProcess(
  { namespace }: AgentHost,
  script: string,
  ...args: string[]
): HostProcess {
  const file = resolve(import.meta.dirname, script);
  const child = namespace.spawn(process.execPath, ["--import", "tsx", file, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const asked: ((at: number) => void)[] = [];
  createInterface({ input: child.stdout ?? Readable.from([]) }).on("line", (at) => {
    asked.shift()?.(Number(at));
  });
  return {
    ask(line) {
      child.stdin?.write(`${line}\n`);
      return new Promise((answer) => asked.push(answer));
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
