/** The reply of a coordinator of another version, which may look different: its schema checks it. */
import type * as z from "zod";
import { EXIT, PlainError } from "../process/exit.ts";
import { api, type Endpoint, type Reply } from "../wire/api.ts";
import { decode, WireError } from "../wire/codec.ts";
import { visible } from "./visible.ts";

/** Throws a PlainError if this fleetban cannot read it. */
export function checkedReply<E extends Endpoint>(endpoint: E, bytes: Uint8Array): Reply<E> {
  // Per endpoint the schema and the type belong together; over all of them TypeScript cannot tell.
  const schema = api[endpoint].reply as unknown as z.ZodType<Reply<E>>;
  try {
    return decode(schema, bytes, endpoint);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    const text = `the coordinator's reply cannot be read: ${cause.message}`;
    const hint = "are it and this fleetban of one version?";
    throw new PlainError(visible(`${text}; ${hint}`), EXIT.unavailable, { cause });
  }
}
