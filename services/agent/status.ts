/** What the agent says of itself: every 10 s, and as soon as something was applied. */
import { encodeHostStatus, STATUS_EVERY_MS, type HostStatus } from "../wire/status.ts";
import { statusSubject } from "../wire/subjects.ts";

export interface StatusReporter {
  /** Says it now; several calls at once say it once. */
  soon(): void;
  stop(): void;
}

export interface StatusOptions {
  host: string;
  /** Looks at what costs to look at, before a periodic status. */
  refresh: () => Promise<void>;
  describe: () => HostStatus;
  /** Publishes without waiting; nothing is said while NATS is away. */
  publish: (subject: string, bytes: Uint8Array) => void;
}

export function startStatus({ host, refresh, describe, publish }: StatusOptions): StatusReporter {
  let scheduled = false;
  const subject = statusSubject(host);

  function say(): void {
    scheduled = false;
    publish(subject, encodeHostStatus(describe()));
  }

  function soon(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(say);
  }

  const timer = setInterval(() => void refresh().then(soon), STATUS_EVERY_MS);
  void refresh().then(soon);
  return { soon, stop: () => clearInterval(timer) };
}
