/**
 * JSON messages, checked at the border: a value that `decode` returns has the shape of its schema,
 * whoever has sent the message.
 */
import * as z from "zod";
import { parseAddress, parseNetwork, type Address } from "./address.ts";
import { INSTANT, spellInstant } from "./instants.ts";

/** Larger messages are rejected before they are parsed; NATS itself ends at 1 MiB. */
export const MAX_MESSAGE_BYTES = 1_000_000;

/** A message could not be decoded. */
export class WireError extends Error {
  override name = "WireError";
}

/** Throws a bug's error, never a WireError, when `value` is not what `schema` describes. */
export function encode<T>(schema: z.ZodType<T>, value: T): Uint8Array {
  return Buffer.from(JSON.stringify(z.encode(schema, value)));
}

/**
 * Turns a message whose fields are spelled for the wire into bytes. On the way from failure to ban
 * no sender checks its messages: zod takes ten times as long as JSON for that.
 */
export function toBytes(spelled: object): Uint8Array {
  return Buffer.from(JSON.stringify(spelled));
}

/** Throws a WireError that says what was wrong and where; it never quotes the message itself. */
export function decode<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new WireError(`${what}: ${bytes.length} bytes, expected at most ${MAX_MESSAGE_BYTES}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
  } catch (cause) {
    throw new WireError(`${what}: not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new WireError(`${what}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"}`, {
    cause: result.error,
  });
}

/** An instant: ISO 8601 with milliseconds and Z on the wire, epoch milliseconds in code. */
export const instant = z.codec(z.string().regex(INSTANT), z.number().int(), {
  decode: (text) => Date.parse(text),
  encode: (at) => spellInstant(at),
});

/** Is it an address or network in its one canonical spelling? */
export function isCanonical(value: unknown): value is Address {
  return typeof value === "string" && value.length <= 49 && parseNetwork(value) === value;
}

/** An address or network in its one canonical spelling; others are refused. */
export const address = z.custom<Address>(
  isCanonical,
  "expected an address or network in canonical spelling",
);

/** One address: nobody fails to log in from all of a network. */
export const hostAddress = z.custom<Address>(
  (value) => typeof value === "string" && value.length <= 45 && parseAddress(value) === value,
  "expected an address in canonical spelling",
);

/**
 * The text as PostgreSQL stores it: any Unicode but U+0000 and halves of characters. This is the
 * one place that sees to it: every text that enters from the wire passes here.
 */
export function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

/** Would `storable` leave the text as it is? A coordinator that takes over asks it four million times. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** Text from elsewhere, of at most `longest` UTF-16 code units. */
export const textOf = (longest: number) => z.string().max(longest).overwrite(storable);

/** Text that came from an attacker in the end: bounded, otherwise opaque. */
export const foreignText = textOf(256);
