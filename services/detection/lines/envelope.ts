/**
 * Takes off what logging systems put around a program's message: a container's name, JSON, stamps,
 * host and program. Each of them is a table of its own, and anything of one table may stand with
 * anything of another: `container-prefix`, `json-fields`, `stamps`, `program-tag`. `writers` says whose
 * lines count.
 *
 * A layer is known by its first characters, from the outside to the inside. Nothing is looked for
 * further on in a line, because clients choose what stands there.
 */
import { readContainerPrefix } from "./container-prefix.ts";
import { openCollected, openRecord } from "./json-line.ts";
import { LOCAL_LOG } from "./log-facts.ts";
import { messageOf, NOTHING_KNOWN, type Message, type Opening, type Outer } from "./message.ts";
import { readUsualTag } from "./program-tag.ts";
import { openRfc5424, openStamped } from "./syslog-line.ts";
import { readIsoStamp, readMonthStamp, type StampClock } from "./timestamp.ts";
import { isDovecotContainer, type Writers } from "./writers.ts";

const RETURN = 13;
const LESS = 60;
const OPEN_BRACKET = 91;
const OPEN_BRACE = 123;
const LOWER_M = 109;

/** Takes a line apart; a line of no known shape is a message of its own. */
export function openEnvelope(
  line: string,
  clock: StampClock,
  writers: Writers = LOCAL_LOG,
): Message {
  const isEnded = line.charCodeAt(line.length - 1) === RETURN;
  const text = isEnded ? line.slice(0, -1) : line;
  return openUsual(text, clock) ?? openLine(text, NOTHING_KNOWN, { clock, writers, openLine });
}

/** The same for one of several JSON records in a line; undefined: the record has no line in it. */
export function openParsed(
  record: unknown,
  clock: StampClock,
  writers: Writers,
): Message | undefined {
  return openRecord(record, NOTHING_KNOWN, { clock, writers, openLine });
}

/** `Mar  3 04:05:06 UTC dovecot: `: what stands where a host does may be the zone. */
const ZONE_INITIALS = "UGZ";

/** `2026-03-03T04:05:06.784598+01:00 mx1 dovecot: imap-login: ...`, `Mar  3 04:05:06 mx1 dovecot[7]: ...` */
function openUsual(text: string, clock: StampClock): Message | undefined {
  const first = text.charCodeAt(0);
  if (first >= OPEN_BRACKET || first < 48) return undefined;
  const stamp = first < 58 ? readIsoStamp(text, clock) : readMonthStamp(text, clock);
  if (!stamp) return undefined;
  if (!stamp.hasZone && ZONE_INITIALS.includes(text[stamp.end + 1] ?? "")) return undefined;
  const from = readUsualTag(text, stamp.end);
  if (from === undefined) return undefined;
  const next = text.charCodeAt(from);
  // All of Dovecot's processes have names in lower case; `message repeated` is rsyslog's.
  if (next < 97 || next > 122 || (next === LOWER_M && text.startsWith("message ", from))) {
    return undefined;
  }
  const written = { at: stamp.at, hasZone: stamp.hasZone };
  return { written, program: "dovecot", text: text.slice(from), repeat: 1, isForeign: false };
}

/** More layers than that no logging system puts around a message. */
const DEEPEST = 6;

function openLine(text: string, outer: Outer, opening: Opening): Message {
  if (outer.depth > DEEPEST) return messageOf(text, outer);
  const first = text.charCodeAt(0);
  if (first === OPEN_BRACE || (first === OPEN_BRACKET && text.endsWith("]"))) {
    const message = openCollected(text, outer, opening);
    if (message) return message;
  }
  const prefix = readContainerPrefix(text);
  if (prefix) {
    const isForeign = outer.isForeign || !isDovecotContainer(prefix.container, opening.writers);
    const program = isForeign ? prefix.container : outer.program;
    const layer = { ...outer, program, isForeign, depth: outer.depth + 1 };
    return openLine(text.slice(prefix.end), layer, opening);
  }
  return openPacket(text, outer, opening);
}

/** `<22>Mar  3 ...`, `<22>1 2026-...`: a syslog packet as it is on the wire; most lines have no number. */
function openPacket(given: string, outer: Outer, opening: Opening): Message {
  let text = given;
  if (given.charCodeAt(0) === LESS) {
    const priority = /^<\d{1,3}>/.exec(given.slice(0, 6))?.[0];
    if (priority !== undefined) text = given.slice(priority.length);
  }
  if (text.startsWith("1 ")) {
    const message = openRfc5424(text.slice(2), outer, opening);
    if (message) return message;
  }
  return openStamped(text, outer, opening);
}
