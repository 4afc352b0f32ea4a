/**
 * Reports to systemd that a daemon is ready, alive or stopping (sd_notify(3)). Node has no datagram
 * sockets of Unix, so the program systemd-notify sends the report; the unit needs NotifyAccess=all.
 * Without NOTIFY_SOCKET nothing is sent.
 */
import { execFile } from "node:child_process";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import type { Environment } from "./environment.ts";
import { EXIT, PlainError } from "./exit.ts";

export interface ServiceManager {
  /**
   * Says that the daemon does its work, and from then on, twice in the watchdog's interval, that
   * it is alive: as soon as `isAlive` has resolved. While that does not, nothing is said, and
   * systemd ends the process when the interval is over.
   */
  ready(isAlive: () => Promise<unknown>): Promise<void>;
  stopping(): Promise<void>;
}

const run = promisify(execFile);

export function createServiceManager(environment: Environment, pid: number): ServiceManager {
  const isListening = Boolean(environment["NOTIFY_SOCKET"]);
  const forUs = ["", String(pid)].includes(environment["WATCHDOG_PID"] ?? "");
  const watchdogMs = forUs ? Number(environment["WATCHDOG_USEC"] ?? 0) / 1000 : 0;
  let timer: NodeJS.Timeout | undefined;

  async function say(what: string): Promise<void> {
    if (!isListening) return;
    try {
      await run("systemd-notify", [what]);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.trim() : String(cause);
      throw new PlainError(`systemd-notify: ${reason}`, EXIT.unavailable, { cause });
    }
  }

  return {
    async ready(isAlive) {
      await say("READY=1");
      if (watchdogMs <= 0) return;
      const beat = async () => {
        const began = performance.now();
        await isAlive();
        await say("WATCHDOG=1").catch(() => {}); // the next one may be heard
        if (timer === undefined) return;
        timer = setTimeout(
          () => void beat(),
          Math.max(0, watchdogMs / 2 - (performance.now() - began)),
        );
      };
      timer = setTimeout(() => void beat(), watchdogMs / 2);
    },
    stopping() {
      clearTimeout(timer);
      timer = undefined;
      return say("STOPPING=1");
    },
  };
}
