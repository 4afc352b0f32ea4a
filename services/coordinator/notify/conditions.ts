/**
 * Conditions of the fleet that begin and are over, such as a silent host: what was announced is
 * kept in NATS, so that a coordinator that takes over announces nothing twice and forgets nothing.
 *
 * A condition is written down before it is announced, with the time of its beginning, which is part
 * of the event's id. A coordinator that is killed in between announces it again under the same id.
 */
import * as z from "zod";
import type { HostRow } from "../../wire/api.ts";
import { decode, encode, instant, textOf } from "../../wire/codec.ts";
import { NAME } from "../../wire/subjects.ts";
import type { Warning, WarningCode } from "../../wire/warnings.ts";
import { CONDITION_EVENTS, eventId, type ConditionType, type NotifyEvent } from "./event.ts";

/** What holds at this moment. */
export interface Condition {
  type: ConditionType;
  code: string;
  /** Tells two conditions of one code apart. */
  subject: string;
  host: string | undefined;
  text: string;
}

const keptCondition = z.object({
  type: z.enum(CONDITION_EVENTS),
  code: textOf(64),
  subject: textOf(64),
  host: z.string().regex(NAME).optional(),
  text: textOf(500),
  since: instant,
  /** The event of its beginning is in the outbox. */
  isAnnounced: z.boolean(),
  /** When it was over; undefined: it still holds. */
  overAt: instant.optional(),
});
export type KeptCondition = z.infer<typeof keptCondition>;

const MOST = 500;
const kept = z.object({ v: z.literal(1), conditions: z.array(keptCondition).max(MOST) });

export const encodeConditions = (conditions: readonly KeptCondition[]): Uint8Array =>
  encode(kept, { v: 1, conditions: [...conditions] });
export const decodeConditions = (bytes: Uint8Array, key: string): KeptCondition[] =>
  decode(kept, bytes, key).conditions;

/** Warnings that are events, by their codes. */
const TYPES: Partial<Record<WarningCode, ConditionType>> = {
  "host-down": "host-silent",
  "credentials-expire": "credentials-expire",
  "server-certificate-expires": "credentials-expire",
  "web-certificate-expires": "credentials-expire",
  "lines-not-understood": "coverage",
  "source-failed": "coverage",
  "source-gap": "coverage",
  "source-missing": "coverage",
  "source-unit-missing": "coverage",
  "unknown-jail": "coverage",
};

export function conditionsOf(warnings: readonly Warning[], rows: readonly HostRow[]): Condition[] {
  const names = new Set(rows.map(({ host }) => host));
  const warned = warnings.flatMap(({ code, subject = "", text }): Condition[] => {
    const type = TYPES[code as WarningCode];
    const name = subject.split("/")[0] ?? "";
    const host = names.has(name) ? name : undefined;
    return type === undefined ? [] : [{ type, code, subject, host, text }];
  });
  const behind = rows
    .filter(({ state, current }) => state === "up" && !current)
    .map(({ host }): Condition => {
      const text = `host ${host}: it is up and does not have the last bans: see fleetban host list`;
      return { type: "host-behind", code: "host-behind", subject: host, host, text };
    });
  return [...warned, ...behind];
}

const identityOf = ({ code, subject }: Pick<Condition, "code" | "subject">) => `${code} ${subject}`;

/** Notes how long each condition holds: only what lasts is announced. */
export function createSettling(
  lastsMs: (type: ConditionType) => number,
  now: () => number,
): (holding: readonly Condition[]) => Condition[] {
  const since = new Map<string, number>();
  return (holding) => {
    const identities = new Set(holding.map(identityOf));
    for (const identity of since.keys()) if (!identities.has(identity)) since.delete(identity);
    return holding.filter((condition) => {
      const identity = identityOf(condition);
      const begun = since.get(identity) ?? now();
      since.set(identity, begun);
      return now() - begun >= lastsMs(condition.type);
    });
  };
}

export interface Looked {
  settled: readonly Condition[];
  holding: readonly Condition[];
  /** Nobody knows at present how this host is. */
  isUnknown: (host: string) => boolean;
}

/**
 * What is kept when `settled` has held for long enough, and `holding` holds at all: new conditions
 * are added, those that are over get their end.
 */
export function nextConditions(
  present: readonly KeptCondition[],
  { settled, holding, isUnknown }: Looked,
  now: number,
): KeptCondition[] {
  const known = new Set(present.map(identityOf));
  const holds = new Set(holding.map(identityOf));
  const going = present.map((condition) =>
    holds.has(identityOf(condition)) ||
    condition.overAt !== undefined ||
    (condition.host !== undefined && isUnknown(condition.host))
      ? condition
      : { ...condition, overAt: now },
  );
  const begun = settled
    .filter((condition) => !known.has(identityOf(condition)))
    .map(({ host, ...condition }) => {
      const named = host === undefined ? {} : { host };
      return { ...condition, ...named, since: now, isAnnounced: false };
    });
  return [...going, ...begun].slice(0, MOST);
}

/** Events that are not in the outbox yet. */
export function eventsDue(conditions: readonly KeptCondition[]): NotifyEvent[] {
  return conditions.flatMap((condition) => [
    ...(condition.isAnnounced ? [] : [eventOf(condition, false)]),
    ...(condition.overAt === undefined ? [] : [eventOf(condition, true)]),
  ]);
}

/** What is kept when these events are in the outbox. */
export function afterAnnouncing(conditions: readonly KeptCondition[]): KeptCondition[] {
  return conditions
    .filter(({ overAt }) => overAt === undefined)
    .map((condition) => ({ ...condition, isAnnounced: true }));
}

function eventOf(condition: KeptCondition, isOver: boolean): NotifyEvent {
  const { type, code, subject, host, text, since, overAt } = condition;
  return {
    v: 1,
    id: eventId(type, code, subject, since, isOver ? "over" : ""),
    type,
    at: isOver ? (overAt ?? since) : since,
    condition: { code, ...(host !== undefined && { host }), text, since, isOver },
  };
}
