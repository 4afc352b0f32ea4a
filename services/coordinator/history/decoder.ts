/** What cannot be decoded is not recorded; said once per sender and minute, for a sender may lie. */
import type { JsMsg } from "@nats-io/jetstream";
import type { Log } from "../../daemon/log.ts";
import { WireError } from "../../wire/codec.ts";

const COMPLAIN_EVERY_MS = 60_000;

/** `decode`, which may throw a WireError; undefined: there is nothing to record. */
export function createDecoder<T>(
  decode: (message: JsMsg) => T | undefined,
  log: Log,
): (message: JsMsg) => T | undefined {
  /** When which sender was last complained of. */
  const complained = new Map<string, number>();
  return (message) => {
    try {
      return decode(message);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // The host, for failures: credentials let it name any jail.
      const sender = message.subject.split(".").at(-1) ?? "";
      const last = complained.get(sender) ?? -Infinity;
      if (Date.now() - last < COMPLAIN_EVERY_MS) return undefined;
      complained.set(sender, Date.now());
      log.warn({ subject: message.subject, reason: error.message }, "not recorded");
      return undefined;
    }
  };
}
