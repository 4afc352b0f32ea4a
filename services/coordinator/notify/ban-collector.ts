/**
 * Follows the bans bucket from the place that was reached last, and puts what administrators want to
 * know into the outbox. Only the coordinator that decides does this.
 *
 * The place is kept with every event of a ban, and beside the outbox for the changes that are no
 * event. So a coordinator that takes over goes on exactly behind the last event.
 */
import { DeliverPolicy, jetstreamManager, type ConsumerConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { followStream } from "../../nats/follow-stream.ts";
import type { StoredMessage } from "../../nats/delivery.ts";
import type { Log } from "../../process/log.ts";
import { withResolvers } from "../../process/with-resolvers.ts";
import { decodeBan } from "../../wire/ban.ts";
import { WireError } from "../../wire/codec.ts";
import { BANS_BUCKET } from "../../wire/subjects.ts";
import { eventOfBan } from "./ban-events.ts";
import type { NotifyEvent, Place } from "./event.ts";
import type { NotifyBucket } from "./notify-bucket.ts";
import type { Outbox } from "./outbox.ts";

export interface BanCollector {
  /** Rejects when another coordinator has taken over, or NATS does not take what is collected. */
  readonly over: Promise<void>;
  stop(): Promise<void>;
}

export interface BanCollectorOptions {
  connection: NatsConnection;
  outbox: Outbox;
  bucket: NotifyBucket;
  /** When this coordinator began, with these sinks: bans from before are no news. Epoch ms. */
  since: number;
  /** Is any sink to get that? */
  isWanted: (event: NotifyEvent) => boolean;
  onAppended: () => void;
  log: Log;
}

/** What comes in this time is stored together: a ban's own path has the processor first. */
const GATHER_MS = 250;
/** The place is written this often where nothing was an event. */
const PLACE_EVERY_MS = 5_000;

export async function startBanCollector(options: BanCollectorOptions): Promise<BanCollector> {
  const { connection, outbox, bucket, isWanted, onAppended, log } = options;
  const begun = await beginningOf(options);
  let { reached, revision } = begun;
  let written = reached;
  let writtenAt = performance.now();
  let waiting: { event: NotifyEvent | undefined; place: Place }[] = [];
  let created: string | undefined;
  let storing: Promise<void> | undefined;
  const over = withResolvers();
  const end = over.reject;

  function take({ subject, data, headers, sequence, storedAt }: StoredMessage): void {
    if (created === undefined) return;
    const place = { created, sequence, storedAt };
    if (isReached(place, begun.reached) || headers?.get("KV-Operation")) return;
    try {
      const event = eventOfBan(decodeBan(data, subject), place);
      waiting.push({ event: event && isWanted(event) ? event : undefined, place });
    } catch (error) {
      // Somebody who is no coordinator has written it: the ban store restores what was there.
      if (!(error instanceof WireError)) throw error;
    }
  }

  async function store(): Promise<void> {
    const batch = waiting;
    waiting = [];
    const events = batch.flatMap(({ event }) => event ?? []);
    if (events.length > 0) {
      await outbox.append(events);
      onAppended();
    }
    reached = batch.at(-1)?.place ?? reached;
    if (reached === written || performance.now() - writtenAt < PLACE_EVERY_MS) return;
    revision = await bucket.writePlace(reached, revision);
    [written, writtenAt] = [reached, performance.now()];
  }

  const timer = setInterval(() => {
    storing ??= store()
      .catch(end)
      .finally(() => (storing = undefined));
  }, GATHER_MS);
  const following = followStream(
    {
      ...{ connection, stream: bucketStream(BANS_BUCKET), log },
      startFrom: () => startAt(begun.reached),
    },
    {
      begin(state) {
        // Another run delivers again what waits here: the next collector reads from the place.
        if (created !== undefined) end(new Error("the bans bucket is followed anew"));
        created = created === undefined ? state.created : undefined;
      },
      message: take,
      caughtUp: () => {},
    },
  );
  return {
    over: over.promise,
    async stop() {
      clearInterval(timer);
      following.stop();
      over.resolve();
      await storing;
    },
  };
}

/**
 * Where to go on. The very first time that is where the bucket ended when this coordinator began: the
 * coordinator may have banned before it collects.
 */
async function beginningOf({
  connection,
  outbox,
  bucket,
  since,
}: Pick<BanCollectorOptions, "connection" | "outbox" | "bucket" | "since">): Promise<{
  reached: Place;
  revision: number;
}> {
  const { value: kept, revision } = await bucket.readPlace();
  const last = await outbox.lastPlace();
  const reached = kept && last && isReached(last, kept) ? kept : (last ?? kept);
  if (reached) return { reached, revision };
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { created, state } = await manager.streams.info(bucketStream(BANS_BUCKET));
  const endedAt = state.last_seq === 0 ? Date.parse(created) : Date.parse(state.last_ts);
  const beginning =
    endedAt >= since
      ? { created, sequence: 0, storedAt: since }
      : { created, sequence: state.last_seq, storedAt: endedAt };
  return { reached: beginning, revision: await bucket.writePlace(beginning, revision) };
}

/**
 * By time, not by sequence: NATS may have lost the end of the bucket in a power failure and given
 * the same sequences to other messages, or the bucket may have been made anew.
 */
function startAt({ storedAt }: Place): Partial<ConsumerConfig> {
  const opt_start_time = new Date(storedAt).toISOString();
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time };
}

function isReached(place: Place, reached: Place): boolean {
  if (place.storedAt !== reached.storedAt) return place.storedAt < reached.storedAt;
  return place.created === reached.created && place.sequence <= reached.sequence;
}
