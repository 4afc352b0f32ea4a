/**
 * Proves that a reader of a stream has read everything that the stream held when the reader began.
 *
 * NATS delivers a stream's messages in order, so the end is reached with the first message at or
 * behind it. The last messages may have expired before they were delivered. Then NATS's heartbeat
 * proves it: the heartbeat says how many messages NATS has delivered, and up to which message of
 * the stream it has looked for more. Silence proves nothing: NATS is also silent, and sends
 * heartbeats all the same, while flow control holds messages back, while the reader's host is
 * stopped, and for a moment at every message that was deleted since the reader began.
 */
export interface EndProof {
  /** This message of the stream was delivered. */
  delivered(sequence: number): void;
  /** NATS has delivered `deliveries` messages, and has looked for more up to `sequence`. */
  reported(deliveries: number, sequence: number): void;
  isComplete(): boolean;
}

/** `end`: the last sequence that the stream had. 0: the stream never had a message. */
export function createEndProof(end: number): EndProof {
  let deliveries = 0;
  let isComplete = end === 0;
  return {
    delivered(sequence) {
      deliveries += 1;
      if (sequence >= end) isComplete = true;
    },
    reported(reportedDeliveries, sequence) {
      if (reportedDeliveries <= deliveries && sequence >= end) isComplete = true;
    },
    isComplete: () => isComplete,
  };
}
