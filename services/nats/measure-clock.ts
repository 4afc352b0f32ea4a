/**
 * Compares NATS's clock with this one's. NATS says when it has made a consumer, which was between
 * the question and the answer; that of this question is deleted at once.
 */
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { nanos, nuid, type NatsConnection } from "@nats-io/nats-core";

const WITHIN_MS = 2_000;

/** Milliseconds by which NATS's clock is ahead of this one's; 0 where the two may be the same. */
export async function measureClock(
  connection: NatsConnection,
  stream: string,
  now: () => number,
): Promise<number> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: WITHIN_MS });
  const askedAt = now();
  const { created, name } = await manager.consumers.add(stream, {
    name: `clock_${nuid.next()}`,
    filter_subject: ">",
    ack_policy: AckPolicy.None,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(WITHIN_MS),
  });
  const answeredAt = now();
  await manager.consumers.delete(stream, name);
  const madeAt = Date.parse(created);
  const isBetween = madeAt >= askedAt && madeAt <= answeredAt;
  return isBetween ? 0 : madeAt - (askedAt + answeredAt) / 2;
}
