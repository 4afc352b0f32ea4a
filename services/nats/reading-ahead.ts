/**
 * The newest entries of a bucket, delivered before the older ones are read. Where there are few
 * messages, nothing is read ahead, because all of them are read soon enough.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import type { StoredMessage } from "./delivery.ts";
import { readNewestEntries, type NewestEntries } from "./newest-entries.ts";

export interface ReadingAheadOptions {
  connection: NatsConnection;
  /** Makes another connection to the same NATS. */
  connectBeside: () => Promise<NatsConnection>;
  stream: string;
  /** `created` names the stream. */
  onMessage: (message: StoredMessage, created: string) => void;
  log: Log;
}

/** If there are more messages, new ones must not wait behind them. */
const FEW_MESSAGES = 1_000;
const LOOK_WITHIN_MS = 1_000;

export class ReadingAhead {
  readonly #options: ReadingAheadOptions;
  #newest: NewestEntries | undefined;
  #isStopped = false;

  constructor(options: ReadingAheadOptions) {
    this.#options = options;
  }

  /** The newest entries are delivered from here on, where there are many older ones. */
  async begin(): Promise<void> {
    const { connection, connectBeside: connect, stream, onMessage, log } = this.#options;
    this.end();
    const options = { checkAPI: false, timeout: LOOK_WITHIN_MS };
    const manager = await jetstreamManager(connection, options);
    const { messages } = (await manager.streams.info(stream)).state;
    if (messages <= FEW_MESSAGES) return;
    this.#newest = await readNewestEntries({ stream, connect, log, onMessage });
    if (this.#isStopped) this.#newest.stop();
  }

  /** Ends it unless an entry behind `revision` has come ahead. */
  endIfNothingAfter(revision: number): void {
    if (this.#newest?.hasNothingAfter(revision)) this.end();
  }

  end(): void {
    this.#newest?.stop();
    this.#newest = undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#newest?.stop();
  }
}
