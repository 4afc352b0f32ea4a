/** Decodes what hosts have sent to the stream of failures, and complains of what is no batch. */
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeFailureBatch, type FailureBatch } from "../../wire/failure.ts";

export interface FailureDecoder {
  /** undefined: it cannot be decoded, and the log has said so. */
  decode(message: { subject: string; data: Uint8Array }): FailureBatch | undefined;
  /** How many messages could not be decoded. */
  readonly undecodable: number;
}

/** The log complains of one host at most this often. */
const COMPLAIN_EVERY_MS = 60_000;

export interface FailureDecoderOptions {
  now: () => number;
  /** A message cannot be decoded. */
  onUndecodable?: ((subject: string, reason: string) => void) | undefined;
  log: Log;
}

export function createFailureDecoder(options: FailureDecoderOptions): FailureDecoder {
  const { now, onUndecodable, log } = options;
  const mayComplain = createRateLimit(COMPLAIN_EVERY_MS, now);
  let undecodable = 0;
  return {
    decode({ subject, data }) {
      try {
        return decodeFailureBatch(data, subject);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        undecodable += 1;
        onUndecodable?.(subject, error.message);
        // Credentials let a host name any jail, but no other host.
        const sender = subject.split(".").at(-1) ?? "";
        const reason = error.message;
        if (mayComplain(sender)) log.warn({ subject, reason }, "failures cannot be decoded");
        return undefined;
      }
    },
    get undecodable() {
      return undecodable;
    },
  };
}
