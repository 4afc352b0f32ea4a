/**
 * The digest of successful logins that an agent publishes, at most once a minute and only while a
 * jail has `knownGood`: addresses from which somebody has logged in on the host.
 *
 * A digest names no users, and an address again only when an eighth of `within` has passed. A host
 * whose clock is wrong does no harm: a digest says how long ago a login was, not when.
 */
import * as z from "zod";
import { decode, isCanonical, toBytes, WireError } from "./codec.ts";
import { familyOf, prefixOf, type Address } from "./address.ts";
import { NAME } from "./subjects.ts";

/** Addresses in one digest. */
export const MAX_LOGINS = 2_000;
/** Of one digest; the stream refuses a longer message. */
export const MAX_DIGEST_BYTES = 128 * 1024;

/** An IPv4 address, or the /64 of an IPv6 address. */
const knownAddress = z.custom<Address>(
  (value) => isCanonical(value) && prefixOf(value) === (familyOf(value) === 4 ? 32 : 64),
  "expected an IPv4 address or an IPv6 network of prefix 64, in canonical spelling",
);

export const loginDigest = z.object({
  v: z.literal(1),
  host: z.string().regex(NAME),
  logins: z
    .array(
      z.object({
        address: knownAddress,
        /** Seconds from the last login to the digest. */
        ago: z.number().int().min(0).max(2_592_000),
      }),
    )
    .max(MAX_LOGINS),
});
export type LoginDigest = z.infer<typeof loginDigest>;

export const encodeLoginDigest = (value: LoginDigest): Uint8Array => toBytes(value);

/** Throws a WireError, also when the digest names another host than `subject`. */
export function decodeLoginDigest(bytes: Uint8Array, subject: string): LoginDigest {
  if (bytes.length > MAX_DIGEST_BYTES) {
    throw new WireError(`${subject}: ${bytes.length} bytes, expected at most ${MAX_DIGEST_BYTES}`);
  }
  const digest = decode(loginDigest, bytes, subject);
  if (subject.split(".")[2] !== digest.host) {
    throw new WireError(`${subject}: names host ${digest.host}`);
  }
  return digest;
}
