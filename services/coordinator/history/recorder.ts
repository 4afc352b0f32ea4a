/**
 * Writes what happens on a stream into PostgreSQL: a durable consumer that all
 * coordinators share, acknowledged after the commit. While PostgreSQL is away
 * nothing is acknowledged, and everything is still there when it is back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type ConsumerInfo,
  type ConsumerMessages,
  type JsMsg,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../daemon/log.ts";
import { WireError } from "../../wire/codec.ts";
import { HistoryRefused, HistoryUnavailable } from "./database.ts";

export interface RecorderOptions<T> {
  connection: NatsConnection;
  stream: string;
  /** The durable's name. */
  name: string;
  /** Only these subjects of the stream. */
  filter?: string;
  /** Throws a WireError for what is not to be recorded; undefined: nothing to record. */
  decode: (message: JsMsg) => T | undefined;
  /** Commits; may be repeated. Throws HistoryUnavailable to be called again later. */
  record: (values: readonly T[]) => Promise<void>;
  log: Log;
}

export interface Recorder {
  /** The consumer as NATS has it; undefined while there is none. */
  info(): Promise<ConsumerInfo | undefined>;
  /** Begins again with everything that the stream still has. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Waiting<T> {
  message: JsMsg;
  /** Decodes it at the first call; undefined: there is nothing to record. */
  value: () => T | undefined;
}

const AT_ONCE = 500;
const ACK_WAIT_SECONDS = 5;
const RETRY_MS = 500;
const REFUSALS = 2;
/** What comes in this time is written at once; and a ban's own path has the processor first. */
const GATHER_MS = 100;
const COMPLAIN_EVERY_MS = 60_000;
const SECOND_NS = 1_000_000_000;

export function startRecorder<T>(options: RecorderOptions<T>): Recorder {
  const { connection, stream, name, filter, decode, record, log } = options;
  const ended = new AbortController();
  let messages: ConsumerMessages | undefined;
  const complained = new Map<string, number>();

  async function open(): Promise<ConsumerMessages> {
    const manager = await jetstreamManager(connection);
    await manager.consumers.add(stream, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      // What a coordinator that died had taken goes to another this soon.
      ack_wait: ACK_WAIT_SECONDS * SECOND_NS,
      max_ack_pending: 4 * AT_ONCE,
      ...(filter !== undefined && { filter_subject: filter }),
    });
    const consumer = await jetstream(connection).consumers.get(stream, name);
    return consumer.consume({ max_messages: AT_ONCE });
  }

  function decodeOrEnd(message: JsMsg): T | undefined {
    try {
      return decode(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      message.term(); // with a reason, nats-server before 2.10.4 would not understand it
      // The host, for failures: credentials let it name any jail.
      const sender = message.subject.split(".").at(-1) ?? "";
      const last = complained.get(sender) ?? -Infinity;
      if (Date.now() - last < COMPLAIN_EVERY_MS) return undefined;
      complained.set(sender, Date.now());
      log.warn({ subject: message.subject, reason: error.message }, "not recorded");
      return undefined;
    }
  }

  async function commit(batch: readonly Waiting<T>[]): Promise<void> {
    const values = batch.flatMap(({ value }) => value() ?? []);
    for (let refusals = 0; ;) {
      try {
        await record(values);
        break;
      } catch (error) {
        if (ended.signal.aborted) return;
        if (error instanceof HistoryRefused) {
          // It may have been away for just that moment.
          refusals += 1;
          if (refusals > REFUSALS) return apart(batch, error);
        } else if (!(error instanceof HistoryUnavailable)) throw error;
        await pause(RETRY_MS);
      }
    }
    for (const { message } of batch) message.ack();
  }

  /** One message must not keep all others from being recorded: finds it, and goes on without. */
  async function apart(batch: readonly Waiting<T>[], refused: HistoryRefused): Promise<void> {
    const [first] = batch;
    if (first && batch.length === 1) {
      first.message.term();
      log.error({ subject: first.message.subject, reason: refused.message }, "not recorded");
      return;
    }
    const middle = batch.length >> 1;
    await commit(batch.slice(0, middle));
    await commit(batch.slice(middle));
  }

  /** Records what comes; whatever comes while a batch is being written is the next batch. */
  async function consume(): Promise<void> {
    const opened = await open();
    messages = opened;
    let waiting: Waiting<T>[] = [];
    let batch: Waiting<T>[] = [];
    // While PostgreSQL is away: they are still being worked on, and need not be delivered again.
    const holding = setInterval(
      () => {
        for (const { message } of [...batch, ...waiting]) message.working();
      },
      (ACK_WAIT_SECONDS * 1000) / 3,
    );
    let wake: () => void = () => {};
    const reader = { isOver: false };
    const reading = (async () => {
      for await (const message of opened) {
        const value = once(() => decodeOrEnd(message));
        waiting.push({ message, value });
        // PostgreSQL has work: time to do ours. Else the decider, which gets the same, goes first.
        if (batch.length > 0) value();
        wake();
      }
    })().finally(() => {
      reader.isOver = true;
      wake();
    });
    try {
      while (!reader.isOver && !ended.signal.aborted) {
        if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        if (waiting.length < AT_ONCE) await pause(GATHER_MS);
        batch = waiting.slice(0, AT_ONCE);
        waiting = waiting.slice(AT_ONCE);
        await commit(batch);
        batch = [];
      }
    } finally {
      clearInterval(holding);
    }
    await reading;
  }

  async function live(): Promise<void> {
    let said = "";
    while (!ended.signal.aborted && !connection.isClosed()) {
      try {
        await consume();
        said = "";
      } catch (error) {
        messages?.stop();
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== said) log.warn({ stream, reason }, "cannot record now, keeps trying");
        said = reason;
      }
      await pause(RETRY_MS);
    }
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => {});

  const living = live();
  return {
    async info() {
      try {
        const manager = await jetstreamManager(connection);
        return await manager.consumers.info(stream, name);
      } catch {
        return undefined; // not there, or NATS is away: either way nothing is known
      }
    },
    async restart() {
      const manager = await jetstreamManager(connection);
      await manager.consumers.delete(stream, name).catch(() => {}); // it may not be there yet
      messages?.stop();
    },
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
