/** A delivery as a CloudEvent 1.0 in JSON, for webhooks and programs. Fields are only ever added. */
import * as z from "zod";
import type { Delivery, Totals } from "../digest.ts";
import { notifyEvent, type NotifyEvent } from "../event.ts";
import { titleOf, type FactsOf } from "./event-text.ts";

const SOURCE = "/fleetban";
const PREFIX = "org.fleetban.";

export function cloudEventOf(delivery: Delivery, factsOf: FactsOf): Record<string, unknown> {
  const { id, events, totals } = delivery;
  const [first] = events;
  const isAlone = totals.events === 1;
  return {
    specversion: "1.0",
    id,
    source: SOURCE,
    type: `${PREFIX}${isAlone && first ? first.type : "digest"}`,
    time: new Date(totals.until).toISOString(),
    ...(isAlone && first && subjectOf(first)),
    datacontenttype: "application/json",
    data: {
      title: titleOf(delivery),
      ...(isAlone && first
        ? dataOf(first, factsOf)
        : { totals: spellTotals(totals), events: events.map((each) => namedData(each, factsOf)) }),
    },
  };
}

/** The body of a request, the same at every try. */
export const jsonOf = (delivery: Delivery, factsOf: FactsOf = () => undefined): string =>
  JSON.stringify(cloudEventOf(delivery, factsOf));

function subjectOf({ ban, condition }: NotifyEvent): { subject?: string } {
  const subject = ban?.address ?? condition?.host;
  return subject === undefined ? {} : { subject };
}

function dataOf(event: NotifyEvent, factsOf: FactsOf): Record<string, unknown> {
  const { ban, condition } = z.encode(notifyEvent, event);
  const whois = factsOf(event) ?? {};
  const isKnown = Object.keys(whois).length > 0;
  return { ...(ban && { ban }), ...(condition && { condition }), ...(isKnown && { whois }) };
}

function namedData(event: NotifyEvent, factsOf: FactsOf): Record<string, unknown> {
  return { id: event.id, type: `${PREFIX}${event.type}`, ...dataOf(event, factsOf) };
}

function spellTotals({ events, since, until, byType, byJail, networks }: Totals) {
  return {
    events,
    since: new Date(since).toISOString(),
    until: new Date(until).toISOString(),
    byType: Object.fromEntries(byType),
    byJail: Object.fromEntries(byJail),
    networks: networks.map(([network, bans]) => ({ network, bans })),
  };
}
