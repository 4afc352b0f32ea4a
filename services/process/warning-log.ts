/**
 * Writes warnings into the log: each when it begins, again once an hour for as long as it lasts,
 * and when it is over. So an administrator who reads only the log misses nothing that `status` has.
 */
import type { Warning } from "../wire/warnings.ts";
import type { Log } from "./log.ts";

const AGAIN_AFTER_MS = 3_600_000;

/** Returns what is to be called with all warnings that hold at that moment, every few seconds. */
export function createWarningLog(
  log: Log,
  now: () => number,
): (warnings: readonly Warning[]) => void {
  const loggedAt = new Map<string, number>();

  return (warnings) => {
    const current = new Map(warnings.map((warning) => [identityOf(warning), warning]));
    for (const [identity, { code, severity, text, subject }] of current) {
      if (now() - (loggedAt.get(identity) ?? -Infinity) < AGAIN_AFTER_MS) continue;
      loggedAt.set(identity, now());
      const level = severity === "high" ? "error" : severity === "medium" ? "warn" : "info";
      log[level]({ code, ...(subject !== undefined && { subject }), reason: text }, "warning");
    }
    for (const identity of loggedAt.keys()) {
      if (current.has(identity)) continue;
      loggedAt.delete(identity);
      const [code, subject] = identity.split(" ");
      log.info({ code, ...(subject !== undefined && { subject }) }, "warning is over");
    }
  };
}

/** Two warnings with one identity are one that lasts, also when a number in its text changes. */
function identityOf({ code, subject }: Warning): string {
  return subject === undefined ? code : `${code} ${subject}`;
}
