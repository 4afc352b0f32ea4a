/**
 * What a logging system puts around a program's message: stamps, host and program
 * names, JSON, containers. The message is what the program itself wrote.
 */
import type { LogFacts } from "./log-facts.ts";
import { findOwnText, isOwnText } from "./own-log.ts";
import {
  readIsoStamp,
  readJournalStamp,
  readMonthStamp,
  readTaiStamp,
  writtenAtOf,
  type StampClock,
  type WrittenAt,
} from "./timestamp.ts";

export interface Message {
  /** When it was written; undefined: nothing says. */
  written: WrittenAt | undefined;
  /**
   * The program's name as syslog has it, without its process id; undefined where
   * there is none, as in Dovecot's own log and in journald's MESSAGE.
   */
  program: string | undefined;
  text: string;
  /** How many such events the line stands for. */
  repeat: number;
}

/** Takes a line apart; a line of no known shape is a message of its own. */
export function openEnvelope(
  line: string,
  clock: StampClock,
  writers: LogFacts["writers"] = "dovecot",
): Message {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text.startsWith("{")) {
    const message = openJson(text, clock, writers);
    if (message) return message;
  }
  return openText(stripContainer(text), clock);
}

/** `mailserver  | Mar  3 ...`: docker compose, in colors where it wrote to a terminal. */
function stripContainer(text: string): string {
  // [pod/dovecot-0/dovecot] Mar 03 ...: kubectl logs --prefix
  const pod = text.startsWith("[pod/") && /^\[pod\/[\w./-]{1,300}\] /.exec(text.slice(0, 310));
  if (pod) return text.slice(pod[0].length);
  const bar = text.slice(0, 160).indexOf("|");
  if (bar < 1) return text;

  const before = text.slice(0, bar).replace(/^\x1b\[[\d;]{1,12}m/, "");

  const after = /^\|(?:\x1b\[0?m)? /.exec(text.slice(bar, bar + 8));
  return after && /^[\w.@-]{1,150} *$/.test(before) ? text.slice(bar + after[0].length) : text;
}

function openText(line: string, clock: StampClock): Message {
  let text = line;
  // <22>Mar  3 ...: a syslog packet as it is on the wire.
  const priority = text.startsWith("<") ? /^<\d{1,3}>/.exec(text.slice(0, 6)) : null;
  if (priority) text = text.slice(priority[0].length);
  if (priority && text.startsWith("1 ")) {
    const message = openRfc5424(text.slice(2), clock);
    if (message) return message;
  }
  // `dovecot: Mar 03 04:05:06 Info: auth(default): ...`: Dovecot 1's own log.
  if (text.startsWith("dovecot: ")) {
    const own = text.slice(9);
    const stamp = readMonthStamp(own, clock) ?? readIsoStamp(own, clock);
    if (stamp) return ownLog(text.slice(9 + stamp.end + 1), stamp);
  }
  const stamp = readStamp(text, clock);
  if (!stamp) return unpackRepeat(afterStamp(text, undefined, clock));
  const rest = text.slice(text[stamp.end] === " " ? stamp.end + 1 : stamp.end);
  return unpackRepeat(afterStamp(rest, stamp, clock));
}

function readStamp(text: string, clock: StampClock) {
  return (
    readMonthStamp(text, clock) ??
    readIsoStamp(text, clock) ??
    readTaiStamp(text) ??
    readJournalStamp(text, clock) ??
    readCtimeStamp(text, clock)
  );
}

/** "Tue Mar  3 04:05:06 2026": logread of OpenWrt. */
function readCtimeStamp(text: string, clock: StampClock) {
  if (text[3] !== " " || text[7] !== " ") return undefined;
  const year = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} (\d{4}) /.exec(
    text.slice(0, 26),
  )?.[1];
  if (year === undefined) return undefined;
  // The stamp of a day of this year lies nearest before the year's end.
  const endOfYear = { ...clock, receivedAt: Date.UTC(Number(year), 11, 31, 12) };
  const stamp = readMonthStamp(text.slice(4), endOfYear);
  return stamp && { ...stamp, end: 24 };
}

/** What Dovecot writes into its own log: no host, no tag, the level after the process's name. */
function ownLog(text: string, written: WrittenAt | undefined): Message {
  return {
    written,
    program: undefined,
    text: text.replace(/^(?:Info|Warning|Error): /, ""),
    repeat: 1,
  };
}

/**
 * After the stamp: `host program[pid]: text` from a syslog daemon, or at once what
 * Dovecot's own log has, `imap-login: Info: ...`.
 */
function afterStamp(text: string, written: WrittenAt | undefined, clock: StampClock): Message {
  if (isOwnText(text)) return { written, program: undefined, text, repeat: 1 };
  // Mar 03 04:05:06 Info: auth(default): ...: Dovecot 1's own log
  const level = OWN_LEVEL.exec(text.slice(0, 12))?.[0];
  if (level !== undefined && isOwnText(text.slice(level.length))) return ownLog(text, written);
  USUAL.lastIndex = 0;
  if (USUAL.test(text)) return openTagged("dovecot", text.slice(USUAL.lastIndex), written, clock);
  // `<mail.info> mail dovecot[241]: `: BSD's syslogd with facility and level.
  // A host that is known by its IPv6 address has colons in its name.
  const header =
    /^(?:<[a-z0-9.]{1,32}> )?\S{0,255}[^\s:] ([^\s:[\]]{1,64})(?:\[\d{1,10}\])?: /.exec(
      text.slice(0, 400),
    );
  const program = header?.[1] ?? "";
  const isOther = !header || !isDovecotProgram(program);
  const other = isOther ? OTHER_HEAD.exec(text.slice(0, 400)) : undefined;
  if (other && isDovecotProgram(other[1] ?? other[2] ?? "")) {
    return openTagged("dovecot", text.slice(other[0].length), written, clock);
  }
  if (!header || !isDovecotProgram(program)) {
    return unheaded(text, written, clock) ?? strange(text, written, header);
  }
  const [whole] = header;
  const rest = text.slice(whole.length);
  // `+0000 auth: Info: `: what looks like a host is what is left of a stamp.
  if (program !== "dovecot" && /^(?:Info|Warning|Error): /.test(rest)) {
    return unheaded(text, written, clock) ?? { written, program, text: rest, repeat: 1 };
  }
  return openTagged(program, rest, written, clock);
}

const OWN_LEVEL = /^(?:Info|Warning|Error): /;
/** `mx1 mail.info dovecot: ` (BusyBox), `mail.info dovecot: ` (OpenWrt), `[dovecot] ` (metalog). */
const OTHER_HEAD =
  /^(?:(?:\S{1,255} )?(?:mail|auth|authpriv|daemon|local[0-7])\.[a-z]{3,7} ([^\s:[\]]{1,64})(?:\[\d{1,10}\])?: |\[([^\s[\]]{1,64})\] )/;

/** `mx1 dovecot[26236]: `, as nearly every line has it. */
const USUAL = /[\w.-]{1,255} dovecot(?:\[\d{1,10}\])?: /y;

/** `[ID 583609 mail.info] ` behind the tag: Solaris. */
function openTagged(
  program: string,
  text: string,
  written: WrittenAt | undefined,
  clock: StampClock,
) {
  const mark = text.startsWith("[ID ") && /^\[ID \d{1,10} [a-z0-9.]{1,32}\] /.exec(text);
  return openInner(program, mark ? text.slice(mark[0].length) : text, written, clock);
}

/** Another program's line; `(libdovecot.0.dylib) ` behind the tag: macOS. */
function strange(
  text: string,
  written: WrittenAt | undefined,
  header: RegExpExecArray | null,
): Message {
  if (!header) return { written, program: undefined, text, repeat: 1 };
  const rest = text.slice(header[0].length);
  const mark =
    rest.startsWith("(libdovecot") && /^\(libdovecot[\w.]{0,32}\) /.exec(rest.slice(0, 64));
  if (mark) return { written, program: "dovecot", text: rest.slice(mark[0].length), repeat: 1 };
  return { written, program: header[1], text: rest, repeat: 1 };
}

/**
 * `dovecot: imap-login: ...` without stamp and host, Dovecot's own log behind a stamp of the
 * administrator's own, or a stamp and a line of either: what kubectl, docker logs -t and
 * containerd put before it.
 */
function unheaded(
  text: string,
  written: WrittenAt | undefined,
  clock: StampClock,
): Message | undefined {
  const tag = /^([\w().-]{1,64})(?:\[\d{1,10}\])?: /.exec(text.slice(0, 90));
  if (tag && isDovecotProgram(tag[1] ?? "")) {
    return openInner(tag[1] ?? "", text.slice(tag[0].length), written, clock);
  }
  const stream = written === undefined ? null : /^std(?:out|err) [FP] /.exec(text.slice(0, 12));
  const rest = stream ? text.slice(stream[0].length) : text;
  if (!isStampLike(rest)) return stream ? afterStamp(rest, written, clock) : undefined;
  const own = findOwnText(rest, written, clock);
  if (own) return { written: own.written, program: undefined, text: own.text, repeat: 1 };
  const stamp = written === undefined ? undefined : readStamp(rest, clock);
  if (!stamp) return stream ? afterStamp(rest, written, clock) : undefined;
  const inner = writtenAtOf(written, stamp);
  return afterStamp(rest.slice(stamp.end + 1), inner, clock);
}

/** Dovecot in a container or on stderr puts its own stamp behind what syslog or journald wrote. */
function openInner(
  program: string | undefined,
  text: string,
  written: WrittenAt | undefined,
  clock: StampClock,
): Message {
  const isDovecot = program === undefined || isDovecotProgram(program);
  const inner = isDovecot && isStampLike(text) ? findOwnText(text, written, clock) : undefined;
  if (inner) {
    return { written: inner.written, program: undefined, text: inner.text, repeat: 1 };
  }
  return { written, program, text, repeat: 1 };
}

/** None of Dovecot's processes has a name that begins so. */
function isStampLike(text: string): boolean {
  const first = text.charCodeAt(0);
  return first < 58 || (first >= 64 && first <= 91); // a digit, @, [, an upper-case letter
}

/** `1 2026-03-03T04:05:06.003Z mail dovecot 241 - [sd] imap-login: ...` */
function openRfc5424(text: string, clock: StampClock): Message | undefined {
  const stamp = readIsoStamp(text, clock);
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
  return unpackRepeat(openInner(program, rest, stamp, clock));
}

/** `message repeated 4 times: [ ...]`: rsyslog stands in for so many further events. */
function unpackRepeat(message: Message): Message {
  const { text } = message;
  if (!text.startsWith("message repeated ")) return message;
  const match = /^message repeated (\d{1,6}) times: \[ /.exec(text.slice(0, 48));
  if (!match || !text.endsWith("]")) return message;
  return { ...message, text: text.slice(match[0].length, -1), repeat: Number(match[1]) };
}

/** journalctl -o json, docker's json-file log, and what carries a line in "message" or "msg". */
function openJson(
  json: string,
  clock: StampClock,
  writers: LogFacts["writers"],
): Message | undefined {
  const fields = readFields(json);
  if (!fields) return undefined;
  const { MESSAGE, SYSLOG_IDENTIFIER, CONTAINER_NAME } = fields;
  if (MESSAGE !== undefined && MESSAGE !== null) {
    const [written, text] = [journalTime(fields), journalText(MESSAGE)];
    const program = typeof SYSLOG_IDENTIFIER === "string" ? SYSLOG_IDENTIFIER : programOf(fields);
    const isDovecots = program !== undefined && isDovecotProgram(program);
    // What was chosen by other fields is a line of any kind, whatever its writer calls itself.
    if (writers === "chosen" && (CONTAINER_NAME !== undefined || !isDovecots)) {
      return { ...openText(text, clock), written };
    }
    // What a container wrote is a line of any kind, and the name is the container's.
    if (CONTAINER_NAME !== undefined) {
      const name = typeof CONTAINER_NAME === "string" ? CONTAINER_NAME : "?";
      const isMail = MAIL_CONTAINER.test(`${name} ${tagOf(fields)}`);
      if (!isMail) return { written, program: name, text, repeat: 1 };
      return { ...openText(text, clock), written };
    }
    return unpackRepeat(openInner(program, text, written, clock));
  }
  const log = fields["log"] ?? fields["message"] ?? fields["msg"];
  if (typeof log !== "string") return undefined;
  const program = programOf(fields);
  // %msg% of rsyslog begins with the space that stands before a message.
  const line = log.replace(/\r?\n$/, "").replace(/^ /, "");
  const isForeign = program !== undefined && !isDovecotProgram(program);
  const message = isForeign
    ? { written: undefined, program, text: line, repeat: 1 }
    : openText(line, clock);
  const time = readTime(fields["time"] ?? fields["timestamp"] ?? fields["@timestamp"], clock);
  // A collector may have read the line late: when Dovecot wrote it, its own stamp says best.
  return { ...message, written: writtenAtOf(message.written, time) };
}

/** A container of another name is another program's. */
const MAIL_CONTAINER = /dovecot|mail|imap|pop3/i;

function tagOf(fields: Fields): string {
  const tag = fields["CONTAINER_TAG"];
  return typeof tag === "string" ? tag : "";
}

/** How syslog-ng, rsyslog, mailcow and others name the program that wrote a line. */
const PROGRAM_FIELDS = ["program", "PROGRAM", "programname", "SYSLOG_IDENTIFIER", "appname"];

function programOf(fields: Fields): string | undefined {
  for (const name of PROGRAM_FIELDS) {
    const program = fields[name];
    if (typeof program === "string" && program !== "") return program;
  }
  return undefined;
}

/** "2026-03-03T04:05:06Z", 1772507106, "1772507106.123", or milliseconds and smaller parts. */
function readTime(time: unknown, clock: StampClock): WrittenAt | undefined {
  if (typeof time === "string" && !/^\d{10,19}(?:\.\d{1,9})?$/.test(time)) {
    const stamp = readIsoStamp(time.slice(0, 40), clock);
    return stamp && { at: stamp.at, hasZone: stamp.hasZone };
  }
  if (typeof time !== "string" && typeof time !== "number") return undefined;
  // Ten digits are seconds in every year until 2286.
  const digits = Math.floor(Number(time)).toString().length;
  if (digits < 10 || digits > 19) return undefined;
  return { at: Math.floor(Number(time) / 10 ** (digits - 13)), hasZone: true };
}

export type Fields = Readonly<Record<string, unknown>>;

/** The fields of a line that is a JSON object. */
export function readFields(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

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

/**
 * Does this program of syslog speak for Dovecot? An instance's name has dovecot in it by
 * custom; PAM writes as Dovecot's auth process.
 */
export function isDovecotProgram(program: string): boolean {
  return program === "dovecot" || PROGRAM.test(program);
}

const PROGRAM =
  /^(?:director|[\w.@/-]{0,64}dovecot[\w.@/-]{0,64}(?:\(pam_[a-z0-9_]{1,24}\))?|auth|auth-worker|PAM-warn)$/;
