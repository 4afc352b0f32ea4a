/**
 * Offences that were over before a ban could be written, by the host that reported them last. Where
 * failures of a host are already old when NATS stores them, its log has another time zone than the
 * agent takes it for, or the agent was away for long; otherwise no coordinator has decided in time.
 */
import { formatDuration } from "../../config/duration.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { DueBan } from "./ban-queue.ts";

export interface MissedOffences {
  note(missed: DueBan): void;
  /** Since the start. */
  total(): number;
  /** Since the start, by host. */
  byHost(): ReadonlyMap<string, number>;
  /** What a host should hear when it happens again and again. */
  hostWarnings(host: string): Warning[];
  /** The same for the coordinators. */
  warnings(): Warning[];
}

/** As often within as long is again and again. */
const OFTEN = 3;
const WITHIN_MS = 3_600_000;

interface Misses {
  /** The instants of the last few, the oldest first. */
  lastAt: number[];
  /** How old the last one was when NATS stored its last failure, milliseconds. */
  lastAgeMs: number;
  recent: number;
}

export function createMissedOffences(now: () => number): MissedOffences {
  const totals = new Map<string, number>();
  /** Offences that were over when NATS stored them, by host. */
  const late = new Map<string, Misses>();
  /** Offences that were not over then. */
  const undecided: Misses = { lastAt: [], lastAgeMs: 0, recent: 0 };
  let total = 0;

  const isOften = ({ lastAt }: Misses) =>
    lastAt.length === OFTEN && (lastAt[0] ?? -Infinity) > now() - WITHIN_MS;

  function add(misses: Misses, ageMs: number): void {
    const isNew = (misses.lastAt.at(-1) ?? -Infinity) <= now() - WITHIN_MS;
    misses.recent = isNew ? 1 : misses.recent + 1;
    misses.lastAt = [...misses.lastAt, now()].slice(-OFTEN);
    misses.lastAgeMs = ageMs;
  }

  return {
    note({ host, jail, offence, storedAt }) {
      total += 1;
      totals.set(host, (totals.get(host) ?? 0) + 1);
      const ageMs = storedAt - offence.at;
      const wasOver = jail.bantime !== null && ageMs >= jail.bantime * 1000;
      if (!wasOver) {
        add(undecided, ageMs);
        return;
      }
      const known = late.get(host) ?? { lastAt: [], lastAgeMs: 0, recent: 0 };
      late.set(host, known);
      add(known, ageMs);
    },
    total: () => total,
    byHost: () => totals,
    hostWarnings(host) {
      const misses = late.get(host);
      if (!misses || !isOften(misses)) return [];
      const age = formatDuration(misses.lastAgeMs / 1000);
      return [warn("offences-too-old", { count: misses.recent, age })];
    },
    warnings: () =>
      isOften(undecided) ? [warn("offences-not-decided", { count: undecided.recent })] : [],
  };
}
