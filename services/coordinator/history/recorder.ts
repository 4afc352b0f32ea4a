/**
 * Writes the messages of a stream into PostgreSQL, in order, beginning at the place that PostgreSQL
 * keeps for the stream. Only the coordinator that decides records; another one goes on from that place.
 *
 * The place is written after the rows. A coordinator that is killed in between records some rows
 * again, which changes nothing. While PostgreSQL is away, the messages stay in the stream.
 *
 * After a power failure NATS loses the end of a stream, and gives the same numbers to the next
 * messages. So the recorder reads the last recorded message again. If it finds another message there,
 * it records everything that the stream holds again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager, type JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import { commit } from "./commit.ts";
import { HistoryRefused, HistoryStalled, HistoryUnavailable } from "./database.ts";
import { createDecoder } from "./decoder.ts";
import type { Places } from "./place.ts";
import { RecordingRun } from "./recording-run.ts";
import { openRecordingSource } from "./recording-source.ts";
import { createStall } from "./stall.ts";

export interface RecorderOptions<T> {
  connection: NatsConnection;
  stream: string;
  places: Places;
  /** Does this coordinator record, at this moment? */
  isLeader: () => boolean;
  /** Throws a WireError for what is not to be recorded; undefined: nothing to record. */
  decode: (message: JsMsg) => T | undefined;
  /** Commits; may be repeated. Throws HistoryUnavailable to be called again later. */
  record: (values: readonly T[]) => Promise<void>;
  /** PostgreSQL holds messages that NATS no longer has. */
  onRolledBack?: () => void;
  log: Log;
}

export interface Recorder {
  /** Up to which message everything is recorded, and how many wait. Throws when NATS is away. */
  progress(): Promise<{ sequence: number; waiting: number }>;
  /** Why PostgreSQL records nothing of it now although it is there; undefined: it does. */
  stalled(): string | undefined;
  stop(): Promise<void>;
}

const RETRY_MS = 500;
/** What comes in this time is written at once; and a ban's own path has the processor first. */
const GATHER_MS = 500;

export function startRecorder<T>(options: RecorderOptions<T>): Recorder {
  const { connection, stream, places, isLeader, log } = options;
  const ended = new AbortController();
  const stall = createStall(stream, log);
  const pause = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => {});
  let current: RecordingRun<T> | undefined;

  const commitOptions = {
    record: options.record,
    isRunning: () => !ended.signal.aborted && isLeader(),
    onStalled: stall.began,
    onLeftOut: (subject: string, reason: string) => {
      log.error({ subject, reason }, "not recorded");
    },
    pause: () => pause(RETRY_MS),
  };

  async function onRolledBack(): Promise<void> {
    log.warn({ stream }, "NATS has lost the end of the stream, records again what it holds");
    await places.rewind(stream);
    options.onRolledBack?.();
  }

  const runOptions = {
    decode: createDecoder(options.decode, log),
    commit: (messages: Parameters<typeof commit<T>>[0]) => commit(messages, commitOptions),
    writePlace: async (place: Parameters<Places["write"]>[1]) => {
      await places.write(stream, place);
      stall.over();
    },
    onRolledBack,
    gather: () => pause(GATHER_MS),
  };

  async function record(): Promise<void> {
    const recorded = places.read;
    const source = await openRecordingSource({ connection, stream, recorded, onRolledBack });
    current = new RecordingRun(source, runOptions);
    if (!commitOptions.isRunning()) current.stop(); // It was ended meanwhile.
    await current.run();
  }

  async function recordWhileLeader(): Promise<void> {
    const complaint = createComplaint((reason) => {
      log.warn({ stream, reason }, "cannot record now, keeps trying");
    });
    for (; !ended.signal.aborted && !connection.isClosed(); await pause(RETRY_MS)) {
      if (!isLeader()) continue;
      try {
        await record();
        complaint.over();
      } catch (error) {
        if (error instanceof HistoryStalled) stall.began(error.message);
        // The database itself has logged that PostgreSQL is away.
        else if (!isAway(error)) complaint.failed(reasonOf(error));
      }
    }
  }

  // After a reconnect the client asks about the consumer, and hears no heartbeats until NATS
  // answers. NATS never does where a cluster still lists the consumer, but no server has it.
  void onReconnect(connection, () => current?.stop(), ended.signal);
  const recording = recordWhileLeader();
  return {
    progress: () => progressOf(connection, stream, places),
    stalled: stall.reason,
    async stop() {
      ended.abort();
      current?.stop();
      await recording;
    },
  };
}

function isAway(error: unknown): boolean {
  return error instanceof HistoryUnavailable && !(error instanceof HistoryRefused);
}

async function progressOf(connection: NatsConnection, stream: string, places: Places) {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  // The place first: what is recorded meanwhile would be ahead of the stream.
  const place = await places.lastKnown(stream);
  const { created, state } = await manager.streams.info(stream);
  const isOfStream = place?.created === created && place.sequence <= state.last_seq;
  const sequence = isOfStream ? place.sequence : 0;
  const waiting = Math.min(state.messages, Math.max(state.last_seq - sequence, 0));
  return { sequence, waiting };
}
