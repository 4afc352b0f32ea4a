/** Skips messages that cannot be decoded, and logs them once per sender and minute. */
import type { JsMsg } from "@nats-io/jetstream";
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { WireError } from "../../wire/codec.ts";

const COMPLAIN_EVERY_MS = 60_000;

/** `decode`, which may throw a WireError; undefined: there is nothing to record. */
export function createDecoder<T>(
  decode: (message: JsMsg) => T | undefined,
  log: Log,
): (message: JsMsg) => T | undefined {
  const mayComplain = createRateLimit(COMPLAIN_EVERY_MS, Date.now);
  return (message) => {
    try {
      return decode(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // The host, for failures: credentials let it name any jail.
      const sender = message.subject.split(".").at(-1) ?? "";
      if (mayComplain(sender)) {
        log.warn({ subject: message.subject, reason: error.message }, "not recorded");
      }
      return undefined;
    }
  };
}
