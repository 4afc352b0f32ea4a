/** The process that writes for a bench, from inside the host's namespace. */
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { AgentHost } from "../harness/agent-host.ts";

const WRITER = resolve(import.meta.dirname, "long-work-writer.ts");

export interface Writer {
  /** Resolves when it is done, with the time at which it began, by the monotonic clock. */
  ask(command: string): Promise<number>;
  stop(): void;
}

export function startWriter({ namespace }: AgentHost): Writer {
  const child = namespace.spawn(process.execPath, ["--import", "tsx", WRITER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  /** Ends of what was asked, oldest first. The first line says that the writer is ready. */
  const asked: ((began: number) => void)[] = [() => {}];
  createInterface({ input: child.stdout ?? Readable.from([]) }).on("line", (began) => {
    asked.shift()?.(Number(began));
  });
  return {
    ask(command) {
      child.stdin?.write(`${command}\n`);
      return new Promise((resolve) => asked.push(resolve));
    },
    stop: () => void child.kill("SIGKILL"),
  };
}
