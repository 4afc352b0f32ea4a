/**
 * How much the stream of failures may hold: without a bound one rooted host fills NATS's disk, and
 * then no host can publish. NATS sets a bound aside from what it may store (max_file_store), and
 * refuses one that it has no room for; a smaller one is then better than none.
 */
import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";

/** NATS: the server, or the account, does not have that much room. */
const NO_ROOM = new Set([10_047, 10_002, 10_122]);
const LEAST_BYTES = 1_048_576;
/** Bans, settings and the lease have no room set aside: this part of a bound must fit beside it. */
const BESIDE = 1 / 8;

/**
 * Gives `stream` the bound `wanted` (bytes); where there is no room for it and what comes beside, and
 * the stream has none, half of what fits. Returns what is not as it should be, in words.
 */
export async function boundStream(
  manager: JetStreamManager,
  stream: string,
  wanted: number,
): Promise<string[]> {
  const { config } = await manager.streams.info(stream);
  const present = config.max_bytes;
  // The bound that is there keeps its room. But a server may have started again with less room than
  // its streams were promised: then it refuses a single byte more.
  const asked = present === wanted ? wanted + 1 : Math.ceil(wanted * (1 + BESIDE));
  const reason = asked > present ? await refusalOf(manager, stream, asked) : undefined;
  if (reason === undefined) {
    await manager.streams.update(stream, { max_bytes: wanted });
    return [];
  }
  const fault = (holds: string) => [
    `stream ${stream} is to hold ${wanted} bytes (failuresMaxBytes) with room for bans beside, and holds ${holds}: ${reason}`,
  ];
  if (present > 0 && present !== wanted) return fault(`at most ${present}`);
  for (let bytes = wanted / 2; bytes >= LEAST_BYTES; bytes /= 2) {
    if ((await refusalOf(manager, stream, Math.floor(bytes))) !== undefined) continue;
    const half = Math.floor(bytes / 2);
    await manager.streams.update(stream, { max_bytes: half });
    return fault(`at most ${half}`);
  }
  return fault(present > 0 ? "that many, more than NATS has room for" : "as many as come");
}

/** Why NATS does not take this bound; undefined: it has. Throws what is no lack of room. */
async function refusalOf(
  manager: JetStreamManager,
  stream: string,
  bytes: number,
): Promise<string | undefined> {
  try {
    await manager.streams.update(stream, { max_bytes: bytes });
    return undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && NO_ROOM.has(error.code)) return error.message;
    throw error;
  }
}
