/** When a message that was not taken is sent again. */
import type { SinkState } from "./notify-bucket.ts";
import type { Outcome } from "./sink.ts";

const FIRST_MS = 5_000;
const LONGEST_MS = 30 * 60_000;
/** A receiver may ask for more patience than that, up to a day. */
const LONGEST_ASKED_MS = 86_400_000;
/** A message is given up when it was rejected this many times: later ones must not wait for it. */
export const MOST_REFUSALS = 5;

type Failed = Extract<Outcome, { type: "retry" | "refused" }>;

/** `random` is a number from 0 to 1: two sinks of one receiver do not come at the same moment. */
export function nextFailing(
  present: SinkState["failing"],
  outcome: Failed,
  now: number,
  random: number,
): NonNullable<SinkState["failing"]> {
  const tries = (present?.tries ?? 0) + 1;
  const usual = Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS);
  const asked = outcome.type === "retry" ? (outcome.afterMs ?? 0) : 0;
  const pause = Math.max(usual * (1 + random / 4), Math.min(asked, LONGEST_ASKED_MS));
  return {
    tries,
    since: present?.since ?? now,
    retryAt: Math.round(now + pause),
    reason: outcome.reason.slice(0, 500),
  };
}
