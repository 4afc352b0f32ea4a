/** What a change of the bans bucket is for an administrator: an event, or nothing new. */
import { isWideningHeld, type Ban } from "../../wire/ban.ts";
import { isOfDrill } from "../../wire/drill.ts";
import { eventId, evidenceFacts, type EventType, type NotifyEvent, type Place } from "./event.ts";

/**
 * A change is no news if NATS stores it this much later than it was made: a coordinator has restored
 * the ban from PostgreSQL, because NATS had lost its storage.
 */
const RESTORED_AFTER_MS = 10 * 60_000;

/** undefined: nothing that anybody must be told, such as a ban that was made longer. */
export function eventOfBan(ban: Ban, place: Place): NotifyEvent | undefined {
  if (place.storedAt - ban.changedAt > RESTORED_AFTER_MS) return undefined;
  if (isOfDrill(ban.address)) return undefined;
  const type = typeOf(ban);
  if (type === undefined) return undefined;
  const { address, jail, startsAt, until, reason, offence, by } = ban;
  const { state, held } = isWideningHeld(ban, ban.changedAt) ? heldWidening(ban) : ban;
  if (state === "shadow") return undefined; // in force nowhere, and nothing to be done about it
  const begun = state === "active" || state === "held";
  return {
    v: 1,
    id: eventId(type, jail, address, startsAt, begun ? "" : state),
    type,
    at: ban.changedAt,
    ban: {
      ...{ address, jail, state, startsAt, until, reason, offence, by },
      ...(held !== undefined && { held }),
      ...evidenceFacts(ban.evidence),
    },
    place,
  };
}

/** How an event describes a ban that stays on a few hosts: as held, and where it is in force. */
function heldWidening({ hosts = [], held = "" }: Ban): Pick<Ban, "held"> & { state: "held" } {
  const where = nameHosts(hosts);
  return { state: "held", held: `in force on ${where} alone, for others: ${held}`.slice(0, 256) };
}

const NAMED = 3;

const nameHosts = (hosts: readonly string[]): string =>
  hosts.length <= NAMED ? hosts.join(", ") : `${hosts.length} hosts`;

function typeOf(ban: Ban): EventType | undefined {
  // A ban that was made longer keeps its beginning.
  const isNew = ban.changedAt === ban.startsAt;
  switch (ban.state) {
    case "active":
      if (isWideningHeld(ban, ban.changedAt)) return "held";
      if (!isNew) return undefined;
      return ban.basis?.rule === "network" ? "network-ban" : "ban";
    case "held":
      return isNew ? "held" : undefined;
    case "shadow":
      return undefined;
    case "lifted":
    case "expired":
      // A held ban or a shadow that has ended was in force nowhere.
      return ban.held === undefined ? "unban" : undefined;
  }
}
