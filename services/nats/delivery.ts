/**
 * The messages that a push consumer of NATS delivers, and NATS's status messages between them.
 *
 * The client's own consumer hides two facts of the protocol that a proof of completeness needs:
 * whether NATS holds messages back at a heartbeat, and the order of heartbeats and messages.
 * Source: nats-server, server/consumer.go: sendIdleHeartbeat, sendFlowControl, ackReply.
 */
import {
  Empty,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from "@nats-io/nats-core";

/** A message as the stream holds it. */
export interface StoredMessage {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs | undefined;
  sequence: number;
  /** By NATS's clock, epoch milliseconds. */
  storedAt: number;
}

export type Delivery =
  /** `deliveries` counts the consumer's messages, this one included. */
  | { type: "message"; deliveries: number; message: StoredMessage }
  /**
   * NATS has delivered `deliveries` messages, and has looked for more up to `sequence` of the
   * stream. `confirm`, where NATS does not go on before the reader has confirmed what it was sent.
   */
  | { type: "heartbeat"; deliveries: number; sequence: number; confirm: (() => void) | undefined }
  /** NATS asks whether everything before this was read. It sends a limited amount ahead of the answer. */
  | { type: "flow-control"; confirm: () => void }
  /** The consumer does not exist any more, or we may not read from it. */
  | { type: "ended"; reason: string };

/** Calls `onDelivery` in the order in which NATS sends, until the subscription is closed. */
export function subscribeToDeliveries(
  connection: NatsConnection,
  inbox: string,
  onDelivery: (delivery: Delivery) => void,
): Subscription {
  const readBetween = (message: Msg) => {
    const { headers, reply } = message;
    if (headers?.code !== STATUS) {
      onDelivery({ type: "ended", reason: headers?.description ?? "unknown" });
    } else if (reply) {
      onDelivery({ type: "flow-control", confirm: () => void message.respond() });
    } else {
      const stalled = headers.get("Nats-Consumer-Stalled");
      const deliveries = Number(headers.get("Nats-Last-Consumer"));
      const sequence = Number(headers.get("Nats-Last-Stream"));
      // NATS still waits for the answer: the first one may have been lost.
      const confirm = stalled === "" ? undefined : () => connection.publish(stalled, Empty);
      onDelivery({ type: "heartbeat", deliveries, sequence, confirm });
    }
  };
  return connection.subscribe(inbox, {
    callback(error, message) {
      if (error) onDelivery({ type: "ended", reason: error.message });
      else if (message.subject === inbox) readBetween(message);
      else onDelivery(readMessage(message));
    },
  });
}

/** HTTP-like status of a heartbeat and of a flow control request. */
const STATUS = 100;

/**
 * The tokens of the reply subject of a delivered message:
 *
 *   $JS.ACK.<stream>.<consumer>.<times delivered>.<sequence>.<deliveries>.<nanoseconds>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>.<consumer>.<times delivered>.<sequence>. ...
 */
function readMessage(message: Msg): Delivery {
  const tokens = message.reply?.split(".") ?? [];
  const at = tokens.length > SHORT_FORM ? 7 : 5;
  const [sequence = "", deliveries = "", nanoseconds = ""] = tokens.slice(at, at + 3);
  return {
    type: "message",
    deliveries: Number(deliveries),
    message: {
      subject: message.subject,
      data: message.data,
      headers: message.headers,
      sequence: Number(sequence),
      // A number cannot hold the nanoseconds since 1970 exactly.
      storedAt: Number(nanoseconds.slice(0, -6)),
    },
  };
}

const SHORT_FORM = 9;
