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
import type { StreamState } from "../../nats/stream-consumer.ts";
import type { StreamReader } from "../../nats/stream-run.ts";
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
  const { connection, log } = options;
  const begun = await beginningOf(options);
  const collection = new BanCollection(options, begun);
  const following = followStream(
    {
      ...{ connection, stream: bucketStream(BANS_BUCKET), log },
      startFrom: () => startAt(begun.reached),
    },
    collection,
  );
  return {
    over: collection.over,
    stop() {
      following.stop();
      return collection.stop();
    },
  };
}

/** A change of a ban; undefined: no sink is to get an event of it. */
interface Collected {
  event: NotifyEvent | undefined;
  place: Place;
}

class BanCollection implements StreamReader {
  readonly #options: BanCollectorOptions;
  /** Changes up to there were collected before. */
  readonly #begunAt: Place;
  /** The one run that is read, by when NATS has made the bucket; undefined: none has begun. */
  #created: string | undefined;
  /** Changes that are not stored yet, the oldest first. */
  #waiting: Collected[] = [];
  /** All events up to there are stored. */
  #reached: Place;
  /** The place as NATS has it, its revision, and when it was written by `performance.now`. */
  #written: { place: Place; revision: number; at: number };
  /** One batch is stored at a time. */
  #storing: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #settle = withResolvers();
  readonly over = this.#settle.promise;

  constructor(options: BanCollectorOptions, { reached, revision }: Beginning) {
    this.#options = options;
    this.#begunAt = reached;
    this.#reached = reached;
    this.#written = { place: reached, revision, at: performance.now() };
    this.#timer = setInterval(() => this.#storeWaiting(), GATHER_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#settle.resolve();
    await this.#storing;
  }

  begin({ created }: StreamState): void {
    if (this.#created === undefined) {
      this.#created = created;
      return;
    }
    // Another run delivers again what waits here: the next collector reads from the place.
    this.#settle.reject(new Error("the bans bucket is followed anew"));
    this.#created = undefined;
  }

  message({ subject, data, headers, sequence, storedAt }: StoredMessage): void {
    if (this.#created === undefined) return;
    const place = { created: this.#created, sequence, storedAt };
    if (isReached(place, this.#begunAt) || headers?.get("KV-Operation")) return;
    try {
      const event = eventOfBan(decodeBan(data, subject), place);
      const isWanted = event !== undefined && this.#options.isWanted(event);
      this.#waiting.push({ event: isWanted ? event : undefined, place });
    } catch (error) {
      // Somebody who is no coordinator has written it: the ban store restores what was there.
      if (!(error instanceof WireError)) throw error;
    }
  }

  caughtUp(): void {}

  #storeWaiting(): void {
    this.#storing ??= this.#store()
      .catch(this.#settle.reject)
      .finally(() => (this.#storing = undefined));
  }

  async #store(): Promise<void> {
    const { outbox, bucket, onAppended } = this.#options;
    const batch = this.#waiting;
    this.#waiting = [];
    const events = batch.flatMap(({ event }) => event ?? []);
    if (events.length > 0) {
      await outbox.append(events);
      onAppended();
    }
    this.#reached = batch.at(-1)?.place ?? this.#reached;
    const { place, revision, at } = this.#written;
    if (this.#reached === place || performance.now() - at < PLACE_EVERY_MS) return;
    const reached = this.#reached;
    const written = await bucket.writePlace(reached, revision);
    this.#written = { place: reached, revision: written, at: performance.now() };
  }
}

interface Beginning {
  reached: Place;
  /** Of the place in the bucket of notifications. */
  revision: number;
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
}: Pick<BanCollectorOptions, "connection" | "outbox" | "bucket" | "since">): Promise<Beginning> {
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
