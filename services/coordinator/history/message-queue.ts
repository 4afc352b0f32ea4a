/**
 * Messages between the reader of a stream and the writer of the record.
 *
 * Invariants:
 * - The writer gets the messages in the order in which the reader has added them.
 * - At most `limit` messages wait, if the reader waits for room after each message.
 * - What was added before the queue was closed is still taken.
 */
export class MessageQueue<M> {
  readonly #limit: number;
  #messages: M[] = [];
  #isClosed = false;
  /** Wakes the writer, which waits for a message. */
  #wakeWriter: () => void = () => {};
  /** Wakes the reader, which waits for room. */
  #wakeReader: () => void = () => {};

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#messages.length;
  }

  add(message: M): void {
    this.#messages.push(message);
    this.#wakeWriter();
  }

  /** Nothing more is added. */
  close(): void {
    this.#isClosed = true;
    this.#wakeWriter();
    this.#wakeReader();
  }

  /** Resolves when there is room for another message, or when the queue is closed. */
  async room(): Promise<void> {
    if (this.#messages.length < this.#limit || this.#isClosed) return;
    await new Promise<void>((resolve) => (this.#wakeReader = resolve));
  }

  /** Resolves when a message waits; false: none will come. */
  async hasNext(): Promise<boolean> {
    if (this.#messages.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
    return this.#messages.length > 0;
  }

  /** Removes the first messages from the queue, at most `count`. */
  take(count: number): M[] {
    const taken = this.#messages.slice(0, count);
    this.#messages = this.#messages.slice(count);
    this.#wakeReader();
    return taken;
  }
}
