/**
 * How many attempts counted, and how many bans came into force, in each step of the last hour. A
 * coordinator that starts reads the last findtimes of the stream and the bans bucket again, and so
 * knows again most of the hour.
 */
import type { Ban } from "../../wire/ban.ts";

export interface Rates {
  /** `at`: when NATS stored the attempts. */
  noteFailures(attempts: number, at: number): void;
  /** A ban was read or has changed. */
  noteBan(ban: Ban, previous: Ban | undefined): void;
  lastHour(): LastHour;
}

export interface LastHour {
  /** The begin of the first step, epoch milliseconds. */
  since: number;
  stepSeconds: number;
  /** The oldest step first; the last one is not over. */
  failures: number[];
  bans: number[];
}

const STEP_MS = 10_000;
const STEPS = 360;

export function createRates(now: () => number): Rates {
  const failures = createRing(now);
  const bans = createRing(now);
  return {
    noteFailures: failures.add,
    noteBan(ban, previous) {
      if (!cameIntoForce(ban)) return;
      const isSame = previous && cameIntoForce(previous) && previous.startsAt === ban.startsAt;
      if (!isSame) bans.add(1, ban.startsAt);
    },
    lastHour() {
      const since = (stepOf(now()) - STEPS + 1) * STEP_MS;
      return {
        ...{ since, stepSeconds: STEP_MS / 1000 },
        ...{ failures: failures.steps(), bans: bans.steps() },
      };
    },
  };
}

/** Only what was in force nowhere keeps the reason why, also after its end. */
const cameIntoForce = ({ state, held }: Ban): boolean =>
  state === "active" || ((state === "lifted" || state === "expired") && held === undefined);

const stepOf = (at: number) => Math.floor(at / STEP_MS);

/** Counts of the newest steps. */
function createRing(now: () => number) {
  const counts = new Array<number>(STEPS).fill(0);
  /** The newest step that `counts` has. */
  let last = stepOf(now());

  function advance(): void {
    const step = stepOf(now());
    for (let next = Math.max(last + 1, step - STEPS + 1); next <= step; next += 1) {
      counts[next % STEPS] = 0;
    }
    last = Math.max(last, step);
  }

  return {
    add(count: number, at: number): void {
      advance();
      // NATS's clock may be ahead of this one.
      const step = Math.min(stepOf(at), last);
      if (step > last - STEPS) counts[step % STEPS] = (counts[step % STEPS] ?? 0) + count;
    },
    steps(): number[] {
      advance();
      return Array.from({ length: STEPS }, (_, place) => counts[(last + 1 + place) % STEPS] ?? 0);
    },
  };
}
