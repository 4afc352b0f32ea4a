/**
 * The entries of the bucket `fleetban_web`: sessions of the web page, links that open one, and
 * credentials that open none any more.
 */
import * as z from "zod";
import { ASKER_ROLES } from "./askers.ts";
import { decode, encode, instant, textOf } from "./codec.ts";

/** A person who may use the page: an open session, or what a link opens. */
const grant = z.object({
  v: z.literal(1),
  type: z.literal("grant"),
  name: textOf(200),
  role: z.enum(ASKER_ROLES),
  /** The public key of the credentials that it was opened with; null: opened in another way. */
  key: z.string().max(64).nullable(),
  /** The end of these credentials; null: they do not end by themselves. */
  keyUntil: instant.nullable(),
  expiresAt: instant,
});
export type Grant = Omit<z.output<typeof grant>, "v" | "type">;

const webEntry = z.discriminatedUnion("type", [
  grant,
  z.object({ v: z.literal(1), type: z.literal("revoked"), at: instant }),
]);
export type WebEntry = z.output<typeof webEntry>;

export const encodeWebEntry = (entry: WebEntry): Uint8Array => encode(webEntry, entry);
export const decodeWebEntry = (bytes: Uint8Array, key: string): WebEntry =>
  decode(webEntry, bytes, key);
