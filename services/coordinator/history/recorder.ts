/**
 * Writes the messages of a stream into PostgreSQL, in order, beginning at the place that PostgreSQL
 * keeps for the stream. Only the coordinator that decides records; another one goes on from that place.
 *
 * The place is written after the rows. A coordinator that is killed in between records some rows
 * again, which changes nothing. While PostgreSQL is away, the messages stay in the stream. NATS does
 * not keep the place: a durable consumer of a cluster may be left without a leader after its servers
 * were restarted (seen with 2.9.10), and then delivers nothing.
 *
 * After a power failure NATS loses the end of a stream, and gives the same numbers to the next
 * messages. So the recorder reads the last recorded message again. If it finds another message there,
 * it records everything that the stream holds again.
 *
 * Messages at the end of the stream may be gone before they are delivered. That the place is behind
 * them is claimed only by proof (see end-proof.ts), and only when everything before is recorded.
 */
import { reasonOf } from "../../process/reason.ts";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type ConsumerMessages,
  type JsMsg,
} from "@nats-io/jetstream";
import { nuid, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { createEndProof } from "../../nats/end-proof.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import { HistoryRefused, HistoryStalled, HistoryUnavailable } from "./database.ts";
import { storedAtOf } from "../decide/clock-correction.ts";
import { createDecoder } from "./decoder.ts";
import type { Place, Places } from "./place.ts";

export interface RecorderOptions<T> {
  connection: NatsConnection;
  stream: string;
  /** Only these subjects of the stream. */
  filter?: string;
  places: Places;
  /** Does this coordinator record, at this moment? */
  isLeader: () => boolean;
  /** Throws a WireError for what is not to be recorded; undefined: nothing to record. */
  decode: (message: JsMsg) => T | undefined;
  /** Commits; may be repeated. Throws HistoryUnavailable to be called again later. */
  record: (values: readonly T[]) => Promise<void>;
  /** PostgreSQL has what NATS has lost the end of. */
  onCut?: () => void;
  log: Log;
}

export interface Recorder {
  /** Up to which message everything is recorded, and how many wait. Throws when NATS is away. */
  progress(): Promise<{ sequence: number; waiting: number }>;
  /** Why PostgreSQL records nothing of it now although it is there; undefined: it does. */
  stalled(): string | undefined;
  stop(): Promise<void>;
}

interface Waiting<T> {
  sequence: number;
  storedAt: number | null;
  subject: string;
  /** Decodes it at the first call; undefined: there is nothing to record. */
  value: () => T | undefined;
}

const AT_ONCE = 500;
/** At most this many messages wait in memory; the others wait in the stream. */
const HELD = 4 * AT_ONCE;
const RETRY_MS = 500;
/** After this many refusals in a row PostgreSQL was not away for one moment only. */
const REFUSALS = 2;
/** What comes in this time is written at once; and a ban's own path has the processor first. */
const GATHER_MS = 500;
/** The server that serves us may die while we are connected to another: silence tells. */
const HEARTBEAT_MS = 2_000;
const EXPIRES_MS = 10_000;
const FORGET_AFTER_MS = 30_000;
/** Signs that our consumer is no more: it lived in the memory of a server. */
const LOST: ReadonlySet<string> = new Set([
  "heartbeats_missed",
  "consumer_not_found",
  "consumer_deleted",
  "stream_not_found",
]);
const NANOSECONDS = 1_000_000;

export function startRecorder<T>(options: RecorderOptions<T>): Recorder {
  const { connection, stream, filter, places, isLeader, decode, record, onCut, log } = options;
  const ended = new AbortController();
  let messages: ConsumerMessages | undefined;
  const decodeOrComplain = createDecoder(decode, log);

  let stalled: string | undefined;

  const isRunning = () => !ended.signal.aborted && isLeader();

  function note(reason: string | undefined): void {
    if (reason === stalled) return;
    if (reason === undefined) log.info({ stream }, "PostgreSQL records again");
    else log.error({ stream, reason }, "PostgreSQL records nothing now, keeps trying");
    stalled = reason;
  }

  /** Returns whether all of it is recorded now; false: this coordinator no longer records. */
  async function commit(batch: readonly Waiting<T>[]): Promise<boolean> {
    const values = batch.flatMap(({ value }) => value() ?? []);
    for (let refusals = 0; isRunning();) {
      try {
        if (values.length > 0) await record(values);
        return true;
      } catch (error) {
        if (!(error instanceof HistoryUnavailable)) throw error;
        if (error instanceof HistoryStalled) note(error.message);
        const isThere = error instanceof HistoryStalled || error instanceof HistoryRefused;
        if (isThere) refusals += 1;
        if (refusals > REFUSALS && batch.length > 1) return halves(batch);
        if (refusals > REFUSALS && error instanceof HistoryRefused) {
          log.error({ subject: batch[0]?.subject, reason: error.message }, "not recorded");
          return true;
        }
        await pause(RETRY_MS);
      }
    }
    return false;
  }

  /**
   * One message must not keep all others from being recorded: it is found, and left out. And what
   * takes too long at once may be done in parts.
   */
  async function halves(batch: readonly Waiting<T>[]): Promise<boolean> {
    const middle = batch.length >> 1;
    return (await commit(batch.slice(0, middle))) && (await commit(batch.slice(middle)));
  }

  async function keep(place: Place): Promise<void> {
    await places.write(stream, place);
    note(undefined);
  }

  /** What is recorded is not what the stream has under these numbers. */
  async function noteCut(): Promise<void> {
    log.warn({ stream }, "NATS has lost the end of the stream, records again what it holds");
    await places.rewind(stream);
    onCut?.();
  }

  /**
   * The stream from our place on, that itself included where it can be told from another. `end`:
   * where the stream ended then; undefined: it is proved that nothing is left before that.
   */
  async function open(): Promise<{
    place: Place;
    end: Place | undefined;
    opened: ConsumerMessages;
  }> {
    const manager = await jetstreamManager(connection);
    const { created, state } = await manager.streams.info(stream);
    const known = await places.read(stream);
    let place: Place = { created, sequence: 0, storedAt: null };
    if (known?.created === created) {
      if (known.sequence > state.last_seq) await noteCut();
      else place = known;
    }
    const made = await manager.consumers.add(stream, {
      name: `record_${nuid.next()}`,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: place.storedAt === null ? place.sequence + 1 : place.sequence,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: FORGET_AFTER_MS * NANOSECONDS,
      ...(filter !== undefined && { filter_subject: filter }),
    });
    const storedAt = state.last_seq === 0 ? null : Date.parse(state.last_ts);
    const end = { created, sequence: state.last_seq, storedAt };
    if (state.messages === 0) await keep(end);
    const consumer = jetstream(connection).consumers.getConsumerFromInfo(made);
    const how = { max_messages: AT_ONCE, expires: EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS };
    const opened = await consumer.consume(how);
    return { place, end: state.messages === 0 ? undefined : end, opened };
  }

  /**
   * Records what comes, until something may have been missed. Whatever comes while a batch is
   * being written is the next batch.
   */
  async function consume(): Promise<void> {
    const { place, end, opened } = await open();
    messages = opened;
    if (!isRunning()) opened.stop(); // it was ended meanwhile
    let waiting: Waiting<T>[] = [];
    /** Is being written. */
    let batch: Waiting<T>[] = [];
    let wake: () => void = () => {};
    let proceed: () => void = () => {};
    const reader = { isOver: false };
    const proof = createEndProof(end?.sequence ?? 0);
    /** What was at the end is gone: the place moves there when everything before is recorded. */
    function noteHeartbeat(deliveries: number, sequence: number): void {
      if (!end || proof.isComplete()) return;
      proof.reported(deliveries, sequence);
      if (!proof.isComplete()) return;
      const { sequence: last, storedAt } = end;
      waiting.push({ sequence: last, storedAt, subject: "", value: () => undefined });
      wake();
    }
    const reading = (async () => {
      let delivered = 0;
      for await (const message of opened) {
        delivered += 1;
        if (message.info.deliverySequence !== delivered) break;
        const [sequence, storedAt] = [message.seq, storedAtOf(message)];
        proof.delivered(sequence);
        if (sequence === place.sequence) {
          if (storedAt !== place.storedAt) return noteCut();
          continue;
        }
        const value = once(() => decodeOrComplain(message));
        waiting.push({ sequence, storedAt, subject: message.subject, value });
        // While PostgreSQL works there is time to decode. Otherwise the decider, which gets the same
        // message, goes first.
        if (batch.length > 0) value();
        wake();
        if (waiting.length >= HELD) await new Promise<void>((resolve) => (proceed = resolve));
      }
    })().finally(() => {
      reader.isOver = true;
      wake();
    });
    reading.catch(() => {}); // is thrown below
    void (async () => {
      for await (const status of opened.status()) {
        if (LOST.has(status.type)) opened.stop();
        if (status.type === "heartbeat") {
          noteHeartbeat(status.lastConsumerSequence, status.lastStreamSequence);
        }
      }
    })();
    try {
      while (!reader.isOver || waiting.length > 0) {
        if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        if (waiting.length < AT_ONCE) await pause(GATHER_MS);
        batch = waiting.slice(0, AT_ONCE);
        waiting = waiting.slice(AT_ONCE);
        const last = batch.at(-1);
        if (!last) continue;
        if (!(await commit(batch))) return;
        const { sequence, storedAt } = last;
        await keep({ created: place.created, sequence, storedAt });
        batch = [];
        proceed();
      }
    } finally {
      opened.stop();
      proceed();
    }
    await reading;
  }

  async function live(): Promise<void> {
    let said = "";
    while (!ended.signal.aborted && !connection.isClosed()) {
      if (isLeader()) {
        try {
          await consume();
          said = "";
        } catch (error) {
          const reason = reasonOf(error);
          if (error instanceof HistoryStalled) note(reason);
          // PostgreSQL's being away has been said already.
          const isKnown = error instanceof HistoryUnavailable && !(error instanceof HistoryRefused);
          if (reason !== said && !isKnown) {
            log.warn({ stream, reason }, "cannot record now, keeps trying");
          }
          said = reason;
        }
      }
      await pause(RETRY_MS);
    }
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => {});

  // After a reconnect the client asks after our consumer, and hears no heartbeats until it is told
  // something: which never comes where a cluster still has it in its books, but no server has it.
  void onReconnect(connection, () => messages?.stop(), ended.signal);
  const living = live();
  return {
    async progress() {
      const manager = await jetstreamManager(connection);
      const { created, state } = await manager.streams.info(stream);
      const place = await places.lastKnown(stream);
      const isOfIt = place?.created === created && place.sequence <= state.last_seq;
      const sequence = isOfIt ? place.sequence : 0;
      const waiting = Math.min(state.messages, Math.max(state.last_seq - sequence, 0));
      return { sequence, waiting };
    },
    stalled: () => stalled,
    async stop() {
      ended.abort();
      messages?.stop();
      await living;
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
