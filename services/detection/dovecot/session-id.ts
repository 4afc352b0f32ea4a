/** Dovecot's session ids, which since 2.1.6 tell the peer's address. */
import { parseAddress, type Address } from "../../wire/address.ts";

/**
 * base64 of 6 bytes time, 2 bytes port, 4 or 16 bytes address (lib-master,
 * master_service_... session id). Undefined when it is none of that shape: a trusted
 * proxy may have chosen it.
 */
export function addressOfSession(session: string): Address | undefined {
  if (!/^[A-Za-z0-9+/]{16}(?:[A-Za-z0-9+/]{16})?$/.test(session)) return undefined;
  const bytes = Buffer.from(session, "base64").subarray(8);
  if (bytes.length === 4) return parseAddress(bytes.join("."));
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => bytes.readUInt16BE(at).toString(16));
  return parseAddress(groups.join(":"));
}
