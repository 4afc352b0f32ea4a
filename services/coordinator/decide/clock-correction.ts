/**
 * Failures count at the time that their log says, and the clocks of hosts differ. What a host's
 * clock showed when a batch was sent, against NATS's when it was stored, tells by how much.
 */
import type { FailureBatch } from "../../wire/failure.ts";

/** A smaller difference is the way to NATS. */
const SLACK_MS = 2_000;

/** The batch by NATS's clock, which showed `storedAt`; nothing in it is later than that. */
export function byServersClock(batch: FailureBatch, storedAt: number): FailureBatch {
  const behind = storedAt - batch.sentAt;
  const correction = Math.abs(behind) > SLACK_MS ? behind : 0;
  if (correction === 0 && batch.failures.every(({ at }) => at <= storedAt)) return batch;
  const failures = batch.failures.map((failure) => {
    return { ...failure, at: Math.min(failure.at + correction, storedAt) };
  });
  return { ...batch, failures };
}

/** When NATS stored a message, epoch milliseconds. */
export function storedAtOf({ timestampNanos }: { timestampNanos: bigint }): number {
  return Number(timestampNanos / 1_000_000n);
}
