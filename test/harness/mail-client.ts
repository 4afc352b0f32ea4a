/** Mail clients in a network namespace: they log in, rightly or wrongly, or only connect. */
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ChildProcess } from "node:child_process";
import type { Spawn } from "../../services/standalone/child.ts";

export interface Probe {
  host: string;
  /** 143 speaks IMAP, 110 POP3. */
  port: number;
  /** The client's own address, where its namespace has several. */
  from?: string;
}

/** A datagram to a port that sends it back. */
export interface EchoProbe {
  echo: { host: string; port: number };
}

export interface Attempt extends Probe {
  user: string;
  /** Tried one after the other on one connection. */
  passwords: readonly string[];
}

export interface Outcome {
  /** The connection opened within a second. */
  opened: boolean;
  /** The last password was right. */
  accepted: boolean;
}

export interface MailClient extends AsyncDisposable {
  logIn(attempt: Attempt): Promise<Outcome>;
  /** Does a TCP connection open within a second? */
  connects(probe: Probe): Promise<boolean>;
  /** Does a datagram come back within 0.3 s? */
  hearsEcho(host: string, port: number): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What node is given to run the client: what test/compile.js has made of it, or its source. */
function programArguments(): string[] {
  const name = "test/harness/mail-client-process";
  const scratch = process.env["FLEETBAN_TEST_SCRATCH"];
  if (scratch !== undefined) return [join(scratch, `${name}.js`)];
  return ["--import", "tsx", join(import.meta.dirname, "../..", `${name}.ts`)];
}

export function startMailClient(spawn: Spawn): MailClient {
  const child: ChildProcess = spawn(process.execPath, programArguments(), {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error("mail client: has no pipes");
  const waiting = new Map<number, (outcome: Outcome) => void>();
  const failed = once(child, "exit").then(() => {
    throw new Error("mail client: ended");
  });
  failed.catch(() => {}); // reported by the calls that wait
  createInterface({ input: stdout }).on("line", (line) => {
    const { id, ...outcome } = JSON.parse(line) as { id: number } & Outcome;
    waiting.get(id)?.(outcome);
    waiting.delete(id);
  });
  let last = 0;
  const ask = (task: Attempt | Probe | EchoProbe): Promise<Outcome> => {
    last += 1;
    const id = last;
    stdin.write(`${JSON.stringify({ id, ...task })}\n`);
    return Promise.race([new Promise<Outcome>((resolve) => waiting.set(id, resolve)), failed]);
  };
  return {
    logIn: ask,
    connects: async (probe) => (await ask(probe)).opened,
    hearsEcho: async (host, port) => (await ask({ echo: { host, port } })).opened,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await failed.catch(() => {});
    },
  };
}
