/**
 * Work that the firewall has refused as a whole, and when it is tried again.
 *
 * Invariants:
 * - Refused work is asked for again, more and more seldom, until the firewall takes it.
 * - A refusal is a reason to show until the same work has succeeded. Any other error is not of the
 *   firewall, and is thrown.
 */
import type { Pauses } from "../../process/retry.ts";
import { FirewallError, shortReason } from "./firewall/command.ts";

export interface FirewallRetry<Work extends string> {
  /** Does the work; resolves also when the firewall has refused it. */
  attempt(work: Work, doWork: () => Promise<void>): Promise<void>;
  /** Whether this work was refused, and has not succeeded since. */
  isRefused(work: Work): boolean;
  /** What the firewall tools said of each refused work. */
  reasons(): string[];
  stop(): void;
}

export const PAUSES: Pauses = { firstMs: 1_000, longestMs: 60_000 };

interface Refusal {
  reason: string;
  nextPauseMs: number;
  /** undefined: the work is asked for, or under way. */
  timer: NodeJS.Timeout | undefined;
}

export interface FirewallRetryOptions<Work> {
  /** Every pause is twice as long as the one before, up to the longest. */
  pauses: Pauses;
  /** Asks for the work again. */
  askAgain: (work: Work) => void;
  /** There is another reason to show, or one less. */
  onChanged: () => void;
}

export function createFirewallRetry<Work extends string>(
  options: FirewallRetryOptions<Work>,
): FirewallRetry<Work> {
  const { pauses, askAgain, onChanged } = options;
  const refusals = new Map<Work, Refusal>();

  function onRefused(work: Work, reason: string): void {
    const before = refusals.get(work);
    const refusal = before ?? { reason, nextPauseMs: pauses.firstMs, timer: undefined };
    refusals.set(work, refusal);
    const isNews = before?.reason !== reason;
    refusal.reason = reason;
    refusal.timer ??= setTimeout(() => {
      refusal.timer = undefined;
      askAgain(work);
    }, refusal.nextPauseMs);
    refusal.nextPauseMs = Math.min(refusal.nextPauseMs * 2, pauses.longestMs);
    if (isNews) onChanged();
  }

  function onTaken(work: Work): void {
    const refusal = refusals.get(work);
    if (!refusal) return;
    clearTimeout(refusal.timer);
    refusals.delete(work);
    onChanged();
  }

  return {
    async attempt(work, doWork) {
      try {
        await doWork();
      } catch (error) {
        if (!(error instanceof FirewallError)) throw error;
        onRefused(work, shortReason(error.message));
        return;
      }
      onTaken(work);
    },
    isRefused: (work) => refusals.has(work),
    reasons: () => [...new Set([...refusals.values()].map(({ reason }) => reason))],
    stop() {
      for (const { timer } of refusals.values()) clearTimeout(timer);
    },
  };
}
