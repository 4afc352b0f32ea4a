/** The stream of NATS that keeps the digests of successful logins. */
import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { changeStream } from "../../nats/change-stream.ts";
import { findStream } from "../../nats/find-stream.ts";
import { MAX_DIGEST_BYTES } from "../../wire/logins.ts";
import { LOGINS_STREAM, LOGINS_SUBJECTS } from "../../wire/subjects.ts";

/** Beyond that NATS deletes the oldest digests, first of the host that publishes most. */
const MAX_DIGESTS_OF_HOST = 10_000;
/** NATS sets these bytes aside: half of what the stream of failures leaves of a small store. */
const MAX_BYTES = 64 * 1024 * 1024;
const SECOND_NS = 1_000_000_000;

/** `within`: seconds. Makes the stream, or throws; returns what NATS cannot change of it now, in words. */
export async function ensureLoginsStream(
  connection: NatsConnection,
  { within, replicas }: { within: number; replicas: number },
): Promise<string[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const wanted: Partial<StreamConfig> & { name: string } = {
    ...{ name: LOGINS_STREAM, subjects: [LOGINS_SUBJECTS], storage: StorageType.File },
    ...{ retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old, num_replicas: replicas },
    ...{ max_msgs_per_subject: MAX_DIGESTS_OF_HOST, max_bytes: MAX_BYTES },
    ...{ max_msg_size: MAX_DIGEST_BYTES, max_age: within * SECOND_NS },
  };
  const present = await findStream(manager, LOGINS_STREAM);
  if (present) return changeStream(manager, present, wanted);
  await manager.streams.add(wanted);
  return [];
}
