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
import { withoutConsumer } from "../../nats/follow-stream.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import { commit, type CommitOptions } from "./commit.ts";
import { HistoryRefused, HistoryStalled, HistoryUnavailable } from "./database.ts";
import { createDecoder } from "./decoder.ts";
import type { Places } from "./place.ts";
import { RecordingRun } from "./recording-run.ts";
import { openRecordingSource } from "./recording-source.ts";
import { createStall, type Stall } from "./stall.ts";

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

const RETRY_MS = 500;
/** What comes in this time is written at once; and a ban's own path has the processor first. */
const GATHER_MS = 500;

/** Records from when it is made. */
export class Recorder<T> {
  readonly #options: RecorderOptions<T>;
  readonly #ended = new AbortController();
  readonly #stall: Stall;
  readonly #decode: ReturnType<typeof createDecoder<T>>;
  readonly #recording: Promise<void>;
  #run: RecordingRun<T> | undefined;

  constructor(options: RecorderOptions<T>) {
    this.#options = options;
    this.#stall = createStall(options.stream, options.log);
    this.#decode = createDecoder(options.decode, options.log);
    // After a reconnect the client asks about the consumer, and hears no heartbeats until NATS
    // answers. NATS never does where a cluster still lists the consumer, but no server has it.
    void onReconnect(options.connection, () => this.#run?.stop(), this.#ended.signal);
    this.#recording = this.#recordWhileLeader();
  }

  /** Up to which message everything is recorded, and how many wait. Throws when NATS is away. */
  progress(): Promise<{ sequence: number; waiting: number }> {
    return progressOf(this.#options);
  }

  /** Why PostgreSQL records nothing of it now although it is there; undefined: it does. */
  stalled(): string | undefined {
    return this.#stall.reason();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#run?.stop();
    await this.#recording;
  }

  async #recordWhileLeader(): Promise<void> {
    const { connection, stream, isLeader, log } = this.#options;
    const complaint = createComplaint((reason) => {
      log.warn({ stream, reason }, "cannot record now, keeps trying");
    });
    while (!this.#ended.signal.aborted && !connection.isClosed()) {
      try {
        if (isLeader()) {
          await this.#record();
          complaint.over();
        }
      } catch (error) {
        if (error instanceof HistoryStalled) this.#stall.began(error.message);
        // The database itself has logged that PostgreSQL is away.
        else if (!isAway(error)) complaint.failed(withoutConsumer(reasonOf(error)));
      }
      await this.#pause(RETRY_MS);
    }
  }

  async #record(): Promise<void> {
    const { connection, stream, places } = this.#options;
    const onRolledBack = () => this.#onRolledBack();
    const recorded = places.read;
    const source = await openRecordingSource({ connection, stream, recorded, onRolledBack });
    this.#run = new RecordingRun(source, {
      decode: this.#decode,
      commit: (messages) => commit(messages, this.#commitOptions()),
      writePlace: async (place) => {
        await places.write(stream, place);
        this.#stall.over();
      },
      onRolledBack,
      gather: () => this.#pause(GATHER_MS),
    });
    if (!this.#isRunning()) this.#run.stop(); // It was ended meanwhile.
    await this.#run.run();
  }

  #commitOptions(): CommitOptions<T> {
    const { record, log } = this.#options;
    return {
      record,
      isRunning: () => this.#isRunning(),
      onStalled: (reason) => {
        this.#stall.began(reason);
      },
      onLeftOut: (subject, reason) => {
        log.error({ subject, reason }, "not recorded");
      },
      pause: () => this.#pause(RETRY_MS),
    };
  }

  #isRunning(): boolean {
    return !this.#ended.signal.aborted && this.#options.isLeader();
  }

  async #onRolledBack(): Promise<void> {
    const { stream, places, log } = this.#options;
    log.warn({ stream }, "NATS has lost the end of the stream, records again what it holds");
    await places.rewind(stream);
    this.#options.onRolledBack?.();
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#ended.signal }).catch(() => {});
  }
}

function isAway(error: unknown): boolean {
  return error instanceof HistoryUnavailable && !(error instanceof HistoryRefused);
}

async function progressOf({
  connection,
  stream,
  places,
}: Pick<RecorderOptions<never>, "connection" | "stream" | "places">) {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  // The place first: what is recorded meanwhile would be ahead of the stream.
  const place = await places.lastKnown(stream);
  const { created, state } = await manager.streams.info(stream);
  const isOfStream = place?.created === created && place.sequence <= state.last_seq;
  const sequence = isOfStream ? place.sequence : 0;
  const waiting = Math.min(state.messages, Math.max(state.last_seq - sequence, 0));
  return { sequence, waiting };
}
