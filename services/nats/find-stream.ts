/** Asks NATS about a stream that may not exist. */
import { JetStreamApiError, type JetStreamManager, type StreamInfo } from "@nats-io/jetstream";

/** NATS: the stream does not exist. */
const STREAM_NOT_FOUND = 10059;

/** undefined: there is no such stream. */
export async function findStream(
  manager: JetStreamManager,
  stream: string,
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(stream);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}
