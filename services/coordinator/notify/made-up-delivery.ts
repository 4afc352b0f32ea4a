/** What `fleetban notify test` sends: it looks like a ban, and says that it is none. */
import { setTimeout as sleep } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import { parseNetwork } from "../../wire/address.ts";
import { Digest, type Delivery } from "./digest.ts";
import { eventId, type NotifyEvent } from "./event.ts";
import type { Outcome, Sink } from "./sink.ts";

/** Of a network that is for documentation (RFC 5737). */
const NOBODY = parseNetwork("192.0.2.1");
const BAN_MS = 1_200_000;
/** The command line waits for ten seconds. */
const WITHIN_MS = 8_000;

export function testDelivery(jail: string, by: string, now: number): Delivery {
  const digest = new Digest();
  digest.add(testEvent(jail, by, now));
  return { ...digest.delivery(), isTest: true };
}

function testEvent(jail: string, by: string, now: number): NotifyEvent {
  const event = { v: 1, id: eventId("test", randomUUID()), type: "ban", at: now } as const;
  if (NOBODY === undefined) return event;
  const reason = "a test of this sink, nobody was banned";
  return {
    ...event,
    ban: {
      ...{ address: NOBODY, jail, state: "active", startsAt: now, until: now + BAN_MS },
      ...{ reason, offence: 1, by, evidence: [], hosts: 0, failures: 0 },
    },
  };
}

/** Why the sink has not taken it; undefined: it has. */
export async function trySink(sink: Sink, delivery: Delivery): Promise<string | undefined> {
  const reason = `it has not answered within ${WITHIN_MS / 1000} s`;
  const late: Promise<Outcome> = sleep(WITHIN_MS, { type: "retry", reason }, { ref: false });
  const outcome = await Promise.race([sink.send(delivery), late]);
  return outcome.type === "sent" ? undefined : outcome.reason;
}
