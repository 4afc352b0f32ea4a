/** Messages of hosts that this coordinator cannot decode: what they say does not count. */
import { warn, type Warning } from "../../wire/warnings.ts";

export interface UndecodableMessages {
  note(message: { subject: string; what: "failures" | "status" }, reason: string): void;
  warnings(): Warning[];
}

const SHOWN_MS = 3_600_000;
/** A host that lies may send what it wants, but under no other host's name. */
const MAX_HOSTS = 100;

export function createUndecodableMessages(now: () => number): UndecodableMessages {
  /** The host that was noted last is the last one. */
  const hosts = new Map<string, { count: number; what: string; reason: string; at: number }>();
  return {
    note({ subject, what }, reason) {
      const host = subject.split(".").at(-1) ?? "";
      const known = hosts.get(host);
      const isOver = !known || now() - known.at >= SHOWN_MS;
      hosts.delete(host);
      hosts.set(host, { count: isOver ? 1 : known.count + 1, what, reason, at: now() });
      const [oldest] = hosts.keys();
      if (hosts.size > MAX_HOSTS && oldest !== undefined) hosts.delete(oldest);
    },
    warnings: () =>
      [...hosts]
        .filter(([, { at }]) => now() - at < SHOWN_MS)
        .map(([host, { count, what, reason }]) =>
          warn("not-decodable", { host, count, what, reason }, host),
        ),
  };
}
