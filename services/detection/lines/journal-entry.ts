/** Entries of systemd's journal, as `journalctl -o json` prints them. */
import type { Fields } from "./json-fields.ts";
import type { WrittenAt } from "./timestamp.ts";

/** When an entry of the journal was written. */
export function journalTime(fields: Fields): WrittenAt | undefined {
  const micros = Number(fields["_SOURCE_REALTIME_TIMESTAMP"] ?? fields["__REALTIME_TIMESTAMP"]);
  return Number.isFinite(micros) ? { at: Math.floor(micros / 1000), hasZone: true } : undefined;
}

/** A message with control bytes is an array of bytes there. */
export function journalText(message: unknown): string {
  if (typeof message === "string") return message;
  if (!Array.isArray(message)) return "";
  return Buffer.from(message.filter((byte) => typeof byte === "number")).toString();
}
