/** Lines of syslog daemons and of Dovecot's own log, from the stamp inwards. */
import { openCollected, openTaggedRecord } from "./json-line.ts";
import { messageOf, type Message, type Opening, type Outer } from "./message.ts";
import { isStampLike, openNamed } from "./named-program.ts";
import { findOwnText, startsWithLevel, withoutLevel } from "./own-log.ts";
import { isMarkedProcess, readTags } from "./program-tag.ts";
import { endOfStamp, readStamp } from "./stamps.ts";
import { readIsoStamp, writtenAtOf, type WrittenAt } from "./timestamp.ts";
import { dovecotName } from "./writers.ts";

/** More layers than that no logging system puts around a message. */
const DEEPEST = 6;

/** The text begins with a stamp, or with what stands behind one. */
export function openStamped(text: string, outer: Outer, opening: Opening): Message {
  const stamp = outer.depth < DEEPEST ? readStamp(text, opening.clock) : undefined;
  if (!stamp) return openBehindStamp(text, outer, opening);
  const written = writtenAtOf(outer.written, { at: stamp.at, hasZone: stamp.hasZone });
  const rest = text.slice(endOfStamp(text, stamp));
  return openBehindStamp(rest, { ...outer, written, depth: outer.depth + 1 }, opening);
}

/** `stdout F `, `stderr P `: what containerd has behind its stamp. */
const STREAM = /^std(?:out|err) (?:[FP] )?/;
/**
 * Behind the stamp: `host program[pid]: text` of a syslog daemon; at once what Dovecot's own log has,
 * `imap-login: Info: ...`; or the line of another logging system.
 */
function openBehindStamp(text: string, outer: Outer, opening: Opening): Message {
  const own = withoutLevel(text);
  if (own !== undefined) return messageOf(own, outer);
  const stream = outer.depth > 0 ? STREAM.exec(text.slice(0, 12))?.[0] : undefined;
  if (stream !== undefined) return openStamped(text.slice(stream.length), outer, opening);
  const collected = text.startsWith("{")
    ? openCollected(text, outer, opening)
    : openTaggedRecord(text, outer, opening);
  return collected ?? openSyslog(text, outer, opening);
}

function openSyslog(text: string, outer: Outer, opening: Opening): Message {
  const tags = [...readTags(text)];
  for (const tag of tags) {
    const rest = text.slice(tag.end);
    const name = isMarkedProcess(tag, text) ? "dovecot" : dovecotName(tag.program, opening.writers);
    // `+0000 auth: Info: `: what looks like a host is what is left of a stamp.
    if (name === undefined || (name !== "dovecot" && startsWithLevel(rest))) continue;
    return openNamed(name, rest, outer, opening);
  }
  if (isStampLike(text)) {
    const own = findOwnText(text, outer.written, opening.clock);
    if (own) return messageOf(own.text, { ...outer, written: own.written });
    const isNew = outer.depth < DEEPEST && readStamp(text, opening.clock) !== undefined;
    if (isNew) return openStamped(text, outer, opening);
  }
  const [other] = tags;
  if (!other) return messageOf(text, outer);
  const foreign = { ...outer, program: other.program, isForeign: true };
  return messageOf(text.slice(other.end), foreign);
}

/** `2026-03-03T04:05:06.003Z mail dovecot 241 - [sd] imap-login: ...`, behind `<22>1 `. */
export function openRfc5424(text: string, outer: Outer, opening: Opening): Message | undefined {
  const stamp = text.startsWith("- ") ? NO_STAMP : readIsoStamp(text, opening.clock);
  if (!stamp) return undefined;
  const header = /^ \S{1,255} (\S{1,48}) \S{1,128} \S{1,32} (-|\[)/.exec(
    text.slice(stamp.end, stamp.end + 500),
  );
  if (!header) return undefined;
  const [whole, program = "", mark] = header;
  const from = stamp.end + whole.length;
  const end = mark === "-" ? from : text.indexOf("] ", from) + 1;
  if (end === 0) return undefined;
  // rsyslog's RSYSLOG_SyslogProtocol23Format keeps the space that RFC 3164 has before a message.
  const rest = text.slice(end + 1).replace(/^\ufeff? ?/, "");
  const at: WrittenAt | undefined = stamp === NO_STAMP ? undefined : stamp;
  const written = writtenAtOf(outer.written, at);
  const name = dovecotName(program, opening.writers);
  if (name !== undefined) return openNamed(name, rest, { ...outer, written }, opening);
  return messageOf(rest, { ...outer, written, program, isForeign: true });
}

/** RFC 5424 has a dash where a value is not known. */
const NO_STAMP = { at: 0, hasZone: false, end: 1 };
