/** A stream in memory, as the recorder sees it; it passes the same suite as a stream of NATS. */
import { setTimeout as pause } from "node:timers/promises";
import type { ConsumerNotification, JsMsg } from "@nats-io/jetstream";
import type { Place } from "../../services/coordinator/history/place.ts";
import type {
  DeliveredMessages,
  RecordingSource,
} from "../../services/coordinator/history/recording-source.ts";

interface Stored {
  sequence: number;
  storedAt: number;
  text: string;
}

/** What a test does with a stream. */
export interface RecordedStream {
  publish(text: string): Promise<void>;
  /** The stream forgets its messages up to `sequence`, as when they expire. */
  forget(sequence: number): Promise<void>;
  open(recorded: Place | undefined, onRolledBack: () => Promise<void>): Promise<RecordingSource>;
}

const CREATED = "2026-11-24T00:00:00Z";

export function createFakeRecordedStream(): RecordedStream & {
  /** NATS loses its newest messages, and gives their numbers to the next ones. */
  rollBack(count: number): void;
  /** The next delivery with this number is lost on its way. */
  loseDelivery(number: number): void;
} {
  let stored: Stored[] = [];
  let last = 0;
  let now = Date.UTC(2026, 10, 24);
  const lostDeliveries = new Set<number>();
  const listeners = new Set<() => void>();

  function deliver(from: number): DeliveredMessages {
    let deliveries = 0;
    let next = from;
    let isStopped = false;
    let wake = () => {};
    const wakeAll = () => {
      wake();
    };
    listeners.add(wakeAll);
    const isRunning = () => !isStopped;
    const isAhead = ({ sequence }: Stored) => sequence >= next;
    const changed = () => new Promise<void>((resolve) => (wake = resolve));
    return {
      async *[Symbol.asyncIterator]() {
        while (isRunning()) {
          for (const message of stored.filter(isAhead)) {
            deliveries += 1;
            next = message.sequence + 1;
            if (!lostDeliveries.delete(deliveries)) yield delivered(message, deliveries);
            if (!isRunning()) return;
          }
          await changed();
        }
      },
      async *status() {
        while (isRunning()) {
          const heartbeat: ConsumerNotification = {
            type: "heartbeat",
            lastConsumerSequence: deliveries,
            lastStreamSequence: stored.some(isAhead) ? next - 1 : last,
          };
          yield heartbeat;
          await pause(1);
        }
      },
      stop() {
        isStopped = true;
        listeners.delete(wakeAll);
        wake();
      },
    };
  }

  return {
    async publish(text) {
      last += 1;
      now += 1;
      stored.push({ sequence: last, storedAt: now, text });
      for (const wake of listeners) wake();
      return Promise.resolve();
    },
    async forget(sequence) {
      stored = stored.filter((message) => message.sequence > sequence);
      return Promise.resolve();
    },
    rollBack(count) {
      stored = stored.slice(0, -count);
      last -= count;
    },
    loseDelivery(number) {
      lostDeliveries.add(number);
    },
    async open(recorded, onRolledBack) {
      if (recorded && recorded.sequence > last) await onRolledBack();
      const begin: Place = { created: CREATED, sequence: 0, storedAt: null };
      const place = recorded && recorded.sequence <= last ? recorded : begin;
      const storedAt = last === 0 ? null : now;
      return {
        place,
        end: { created: CREATED, sequence: last, storedAt },
        isEmpty: stored.length === 0,
        messages: deliver(place.storedAt === null ? place.sequence + 1 : place.sequence),
      };
    },
  };
}

function delivered({ sequence, storedAt, text }: Stored, deliverySequence: number): JsMsg {
  const timestampNanos = BigInt(storedAt) * 1_000_000n;
  const message: Pick<JsMsg, "seq" | "subject" | "timestampNanos" | "string"> & {
    info: { deliverySequence: number };
  } = {
    ...{ seq: sequence, subject: "recorded", timestampNanos, string: () => text },
    info: { deliverySequence },
  };
  return message as JsMsg;
}
