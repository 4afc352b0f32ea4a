/**
 * What the agent says of itself: every 10 s, and as soon as something was applied. Under a storm of
 * bans, which every host applies, it says so a few times a second: each time the coordinator listens.
 */
import { performance } from "node:perf_hooks";
import { encodeHostStatus, STATUS_EVERY_MS, type HostStatus } from "../../wire/status.ts";
import { statusSubject } from "../../wire/subjects.ts";

export interface StatusSender {
  /** Says it now, or where it has said it just before, in a moment. */
  soon(): void;
  stop(): Promise<void>;
}

export interface StatusSenderOptions {
  host: string;
  /** Looks at what costs to look at, before a periodic status. */
  refresh: () => Promise<void>;
  describe: () => HostStatus;
  /** Publishes without waiting; nothing is said while NATS is away. */
  publish: (subject: string, bytes: Uint8Array) => void;
}

/** The shortest time from one status to the next. */
const APART_MS = 50;

export function startStatusSender({
  host,
  refresh,
  describe,
  publish,
}: StatusSenderOptions): StatusSender {
  const subject = statusSubject(host);
  let saidAt = -Infinity;
  let scheduled: NodeJS.Timeout | "at once" | undefined;

  function say(): void {
    scheduled = undefined;
    saidAt = performance.now();
    publish(subject, encodeHostStatus(describe()));
  }

  function soon(): void {
    if (scheduled !== undefined) return;
    const wait = saidAt + APART_MS - performance.now();
    if (wait > 0) {
      scheduled = setTimeout(say, wait);
      return;
    }
    scheduled = "at once";
    queueMicrotask(say);
  }

  const timer = setInterval(() => void refresh().then(soon), STATUS_EVERY_MS);
  void refresh().then(soon);
  return {
    soon,
    stop() {
      clearInterval(timer);
      if (typeof scheduled === "object") clearTimeout(scheduled);
      return Promise.resolve();
    },
  };
}
