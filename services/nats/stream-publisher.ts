/**
 * Publishes messages that a stream of NATS stores. Every message gets the sequence under which it is
 * stored, or the reason why it is not.
 *
 * A mass of bans is one message for each ban. The client's own `publish` makes a request of each: a
 * timer, two errors with their stacks, and a promise that is rejected after it is resolved. Here all
 * acknowledgements arrive at one subscription, and one timer looks for those that are late.
 */
import { jetstream, JetStreamApiError, JetStreamError } from "@nats-io/jetstream";
import {
  ClosedConnectionError,
  createInbox,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
} from "@nats-io/nats-core";
import * as z from "zod";

export interface StreamMessage {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs;
  /** Milliseconds that the acknowledgement may take. */
  timeout: number;
}

export interface StreamPublisher {
  /**
   * Returns the sequence of the stored message. Throws a JetStreamApiError where NATS refuses the
   * message; a TimeoutError or a NoRespondersError where it may be stored or not.
   */
  publish(message: StreamMessage): Promise<number>;
}

/** A message that is sent and not acknowledged. */
interface Unacknowledged {
  subject: string;
  /** By performance.now. */
  deadline: number;
  resolve: (sequence: number) => void;
  reject: (reason: Error) => void;
}

const LOOK_EVERY_MS = 50;
/** HTTP-like status of a message that nobody has received. */
const NO_RESPONDERS = 503;

/** A refusal has the sequence 0 beside the error. */
const acknowledgement = z.object({
  seq: z.number().optional(),
  error: z.object({ code: z.number(), err_code: z.number(), description: z.string() }).optional(),
});

export function createStreamPublisher(connection: NatsConnection): StreamPublisher {
  const { watcherPrefix } = jetstream(connection).getOptions();
  const inbox = createInbox(watcherPrefix);
  const sent = new UnacknowledgedMessages();
  let published = 0;
  let isListening = false;

  function listen(): void {
    if (isListening) return;
    isListening = true;
    const subscription = connection.subscribe(`${inbox}.*`, {
      callback(error, message) {
        if (error) sent.failAll(error);
        else sent.settle(message.subject.slice(inbox.length + 1), message);
      },
    });
    void subscription.closed.then(() => {
      sent.failAll(new ClosedConnectionError());
    });
    void followRefusals();
  }

  /** NATS answers nothing to a message that we may not publish: it sends an error to the connection. */
  async function followRefusals(): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type !== "error" || !(status.error instanceof PermissionViolationError)) continue;
      const { operation, subject } = status.error;
      if (operation === "publish")
        sent.fail(status.error, (message) => message.subject === subject);
    }
  }

  return {
    publish({ subject, data, headers, timeout }) {
      return new Promise((resolve, reject) => {
        listen();
        published += 1;
        const token = String(published);
        connection.publish(subject, data, { reply: `${inbox}.${token}`, headers });
        const deadline = performance.now() + timeout;
        sent.add(token, { subject, deadline, resolve, reject });
      });
    },
  };
}

/** Messages that are sent and not acknowledged; each is given up at its deadline. */
class UnacknowledgedMessages {
  /** By the last token of the subject at which the acknowledgement arrives. */
  readonly #messages = new Map<string, Unacknowledged>();
  /** Looks for late ones; undefined: none is under way. */
  #lookout: NodeJS.Timeout | undefined;

  add(token: string, message: Unacknowledged): void {
    this.#messages.set(token, message);
    this.#lookout ??= setInterval(() => this.#giveUpLate(), LOOK_EVERY_MS);
  }

  settle(token: string, acknowledgement: Msg): void {
    const message = this.#messages.get(token);
    if (!message) return; // It is late, and was given up.
    this.#messages.delete(token);
    const outcome = outcomeOf(acknowledgement, message.subject);
    if (typeof outcome === "number") message.resolve(outcome);
    else message.reject(outcome);
  }

  fail(error: Error, isConcerned: (message: Unacknowledged) => boolean): void {
    for (const [token, message] of this.#messages) {
      if (!isConcerned(message)) continue;
      this.#messages.delete(token);
      message.reject(error);
    }
  }

  failAll(error: Error): void {
    this.fail(error, () => true);
  }

  #giveUpLate(): void {
    const now = performance.now();
    this.fail(new TimeoutError(), ({ deadline }) => deadline <= now);
    if (this.#messages.size > 0) return;
    clearInterval(this.#lookout);
    this.#lookout = undefined;
  }
}

function outcomeOf(message: Msg, subject: string): number | Error {
  if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) {
    return new NoRespondersError(subject);
  }
  const { data } = acknowledgement.safeParse(jsonOf(message));
  if (data?.error) return new JetStreamApiError(data.error);
  return data?.seq ?? new JetStreamError("invalid acknowledgement");
}

function jsonOf(message: Msg): unknown {
  try {
    return message.json();
  } catch {
    return undefined;
  }
}
