/**
 * Instants are ISO 8601 with milliseconds and Z on the wire, and epoch milliseconds in code.
 *
 * A field of a request or of a reply is an instant exactly if it has one of the names below;
 * `test/unit/wire/instants.test.ts` holds every schema of api.ts to it. So the CLI translates
 * messages without their schemas, which take longer to build than everything else that it does.
 */

/** How an instant is spelled. */
export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Epoch milliseconds as they cross the wire. */
export function spellInstant(at: number): string;
export function spellInstant(at: number | null): string | null;
export function spellInstant(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** Fields that hold an instant, or a list of instants. */
export const INSTANT_FIELDS: ReadonlySet<string> = new Set([
  "addedAt",
  "appliedAt",
  "asOf",
  "at",
  "attemptedAt",
  "changedAt",
  "countedUntil",
  "earlier",
  "firstAt",
  "from",
  "immuneUntil",
  "knownSince",
  "lastAt",
  "lastLineAt",
  "lastLoginAt",
  "lastSeenAt",
  "newest",
  "oldest",
  "readAt",
  "retryAt",
  "sentAt",
  "since",
  "startedAt",
  "startsAt",
  "storedAt",
  "until",
]);

/** The message with its instants as they cross the wire. */
export function spellInstants(message: unknown): unknown {
  return mapInstants(message, (at) => (typeof at === "number" ? spellInstant(at) : at));
}

/** The message with its instants as epoch milliseconds. */
export function readInstants(message: unknown): unknown {
  return mapInstants(message, (text) => (typeof text === "string" ? Date.parse(text) : text));
}

function mapInstants(
  value: unknown,
  translate: (instant: unknown) => unknown,
  isInstant = false,
): unknown {
  if (Array.isArray(value)) return value.map((each) => mapInstants(each, translate, isInstant));
  if (typeof value !== "object" || value === null) return isInstant ? translate(value) : value;
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    mapInstants(field, translate, INSTANT_FIELDS.has(name)),
  ]);
  return Object.fromEntries(fields);
}
