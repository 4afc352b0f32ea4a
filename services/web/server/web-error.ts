/** A request that is answered with an error; its message is for the person at the browser. */
export class WebError extends Error {
  override name = "WebError";
  /** HTTP's number. */
  readonly code: number;
  /** More of the answer than the message. */
  readonly more: Readonly<Record<string, unknown>>;
  constructor(
    code: number,
    message: string,
    { more = {}, cause }: { more?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.more = more;
  }
}
