/**
 * An event: something that an administrator may want to be told. The outbox stores it once, and
 * every sink that asks for it gets it at least once, under the event's id.
 *
 * Invariant: the id is made from what has happened, never from who reports it or when. So two
 * coordinators that report the same ban, or one that reports it again, use one id.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { address, decode, encode, foreignText, instant, textOf } from "../../wire/codec.ts";
import { JAIL_NAME, NAME } from "../../wire/subjects.ts";

export const BAN_EVENTS = ["ban", "network-ban", "unban", "held"] as const;
/** Conditions of hosts and of the centre, which begin and are over. */
export const CONDITION_EVENTS = [
  "host-silent",
  "host-behind",
  "credentials-expire",
  "coverage",
] as const;
export type ConditionType = (typeof CONDITION_EVENTS)[number];
export const EVENT_TYPES = [...BAN_EVENTS, ...CONDITION_EVENTS] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export function isCondition(type: EventType): type is ConditionType {
  return CONDITION_EVENTS.some((each) => each === type);
}

/** An event names at most this many hosts, and counts the others. */
const MOST_HOSTS = 20;
const count = z.number().int().nonnegative();

const bannedFacts = z.object({
  address,
  jail: z.string().regex(JAIL_NAME),
  state: z.enum(["active", "held", "lifted", "expired"]),
  startsAt: instant,
  /** null: never. */
  until: instant.nullable(),
  reason: foreignText,
  offence: z.number().int().min(1),
  by: foreignText,
  /** Held only: why. */
  held: foreignText.optional(),
  /** The hosts with the most failures. */
  evidence: z.array(z.object({ host: z.string().regex(NAME), failures: count })).max(MOST_HOSTS),
  /** All hosts, and all failures. */
  hosts: count,
  failures: count,
});
export type BannedFacts = z.infer<typeof bannedFacts>;

const conditionFacts = z.object({
  /** The code of the warning, or "host-behind". */
  code: textOf(64),
  /** The host that the condition is about. */
  host: z.string().regex(NAME).optional(),
  text: textOf(500),
  since: instant,
  /** The condition held, and holds no more. */
  isOver: z.boolean(),
});
export type ConditionFacts = z.infer<typeof conditionFacts>;

/** How far a reader of the bans bucket has come. */
export const place = z.object({
  /** Names the bucket's stream, which begins to count anew when NATS loses its storage. */
  created: textOf(64),
  sequence: count,
  /** When NATS stored that message, epoch milliseconds. */
  storedAt: z.number(),
});
export type Place = z.infer<typeof place>;

export const notifyEvent = z.object({
  v: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  type: z.enum(EVENT_TYPES),
  at: instant,
  ban: bannedFacts.optional(),
  condition: conditionFacts.optional(),
  /** Of an event of a ban: the message of the bans bucket that it was made from. */
  place: place.optional(),
});
export type NotifyEvent = z.infer<typeof notifyEvent>;

export const encodeEvent = (event: NotifyEvent): Uint8Array => encode(notifyEvent, event);
/** Throws a WireError. */
export const decodeEvent = (bytes: Uint8Array, what: string): NotifyEvent =>
  decode(notifyEvent, bytes, what);

/** The same parts always make the same id. */
export function eventId(...parts: readonly (string | number)[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** The hosts that an event of a ban names. */
export function hostsOf(event: NotifyEvent): string[] {
  const { ban, condition } = event;
  if (condition) return condition.host === undefined ? [] : [condition.host];
  return ban?.evidence.map(({ host }) => host) ?? [];
}

/** The evidence as an event carries it. */
export function evidenceFacts(
  evidence: readonly { host: string; failures: number }[],
): Pick<BannedFacts, "evidence" | "hosts" | "failures"> {
  const most = evidence.toSorted((a, b) => b.failures - a.failures);
  return {
    evidence: most.slice(0, MOST_HOSTS),
    hosts: evidence.length,
    failures: evidence.reduce((sum, { failures }) => sum + failures, 0),
  };
}
