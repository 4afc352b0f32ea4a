/**
 * What a logging system puts around a program's message: stamps, host and program
 * names, JSON. The message is what the program itself wrote.
 */
import { readIsoStamp, readMonthStamp, readTaiStamp } from "./stamp.ts";

export interface Message {
  /** When it was written, epoch milliseconds; undefined: nothing says. */
  at: number | undefined;
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
export function openEnvelope(line: string, receivedAt: number): Message {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  if (text.startsWith("{")) {
    const message = openJson(text, receivedAt);
    if (message) return message;
  }
  return openText(stripContainer(text), receivedAt);
}

/** `mailserver  | Mar  3 ...`: docker compose. */
function stripContainer(text: string): string {
  const bar = text.slice(0, 80).indexOf("| ");
  return bar > 0 && /^[\w.-]{1,64} +$/.test(text.slice(0, bar)) ? text.slice(bar + 2) : text;
}

function openText(line: string, receivedAt: number): Message {
  let text = line;
  let at: number | undefined;
  // <22>Mar  3 ...: a syslog packet as it is on the wire.
  const priority = text.startsWith("<") ? /^<\d{1,3}>/.exec(text.slice(0, 6)) : null;
  if (priority) text = text.slice(priority[0].length);
  if (priority && text.startsWith("1 ")) {
    const message = openRfc5424(text.slice(2));
    if (message) return message;
  }
  // `dovecot: Mar 03 04:05:06 Info: auth(default): ...`: Dovecot 1's own log.
  if (text.startsWith("dovecot: ")) {
    const stamp = readMonthStamp(text.slice(9), receivedAt);
    if (stamp) return ownLog(text.slice(9 + stamp.end + 1), stamp.at);
  }
  const stamp =
    readMonthStamp(text, receivedAt) ?? readIsoStamp(text) ?? readTaiStamp(text) ?? undefined;
  if (stamp) {
    at = stamp.at;
    text = text.slice(text[stamp.end] === " " ? stamp.end + 1 : stamp.end);
  }
  return unpackRepeat(afterStamp(text, at));
}

/** What Dovecot writes into its own log: no host, no tag, the level after the process's name. */
function ownLog(text: string, at: number | undefined): Message {
  return { at, program: undefined, text: text.replace(/^(?:Info|Warning|Error): /, ""), repeat: 1 };
}

/**
 * After the stamp: `host program[pid]: text` from a syslog daemon, or at once what
 * Dovecot's own log has, `imap-login: Info: ...`.
 */
function afterStamp(text: string, at: number | undefined): Message {
  if (isOwnText(text)) return { at, program: undefined, text, repeat: 1 };
  // `<mail.info> mail dovecot[241]: `: BSD's syslogd with facility and level.
  const header = /^(?:<[a-z0-9.]{1,32}> )?[^\s:]{1,255} ([^\s:[\]]{1,64})(?:\[\d{1,10}\])?: /.exec(
    text.slice(0, 400),
  );
  if (!header) return unheaded(text, at);
  const [whole, program = ""] = header;
  let rest = text.slice(whole.length);
  // `[ID 583609 mail.info] `: Solaris. `(libdovecot.0.dylib) `: macOS.
  const isMarked = rest.startsWith("[ID ") || rest.startsWith("(libdovecot");
  const mark =
    isMarked &&
    /^(?:\[ID \d{1,10} [a-z0-9.]{1,32}\]|\(libdovecot[\w.]{0,32}\)) /.exec(rest.slice(0, 64));
  if (mark) rest = rest.slice(mark[0].length);
  const isDovecot = mark && mark[0].startsWith("(libdovecot");
  return { at, program: isDovecot ? "dovecot" : program, text: rest, repeat: 1 };
}

/** `dovecot: imap-login: ...` without stamp and host. */
function unheaded(text: string, at: number | undefined): Message {
  const tag = /^([\w().-]{1,64})(?:\[\d{1,10}\])?: /.exec(text.slice(0, 90));
  if (tag && isDovecotProgram(tag[1] ?? "")) {
    return { at, program: tag[1] ?? "", text: text.slice(tag[0].length), repeat: 1 };
  }
  return { at, program: undefined, text, repeat: 1 };
}

/** `1 2026-03-03T04:05:06.003Z mail dovecot 241 - [sd] imap-login: ...` */
function openRfc5424(text: string): Message | undefined {
  const stamp = readIsoStamp(text);
  if (!stamp) return undefined;
  const header = /^ \S{1,255} (\S{1,48}) \S{1,128} \S{1,32} (-|\[)/.exec(
    text.slice(stamp.end, stamp.end + 500),
  );
  if (!header) return undefined;
  const [whole, program = "", mark] = header;
  const from = stamp.end + whole.length;
  const end = mark === "-" ? from : text.indexOf("] ", from) + 1;
  if (end === 0) return undefined;
  const rest = text.slice(end + 1).replace(/^\ufeff/, "");
  return unpackRepeat({ at: stamp.at, program, text: rest, repeat: 1 });
}

/** `message repeated 4 times: [ ...]`: rsyslog stands in for so many further events. */
function unpackRepeat(message: Message): Message {
  const { text } = message;
  if (!text.startsWith("message repeated ")) return message;
  const match = /^message repeated (\d{1,6}) times: \[ /.exec(text.slice(0, 48));
  if (!match || !text.endsWith("]")) return message;
  return { ...message, text: text.slice(match[0].length, -1), repeat: Number(match[1]) };
}

/** journalctl -o json, and docker's json-file log. */
function openJson(line: string, receivedAt: number): Message | undefined {
  const fields = readFields(line);
  if (!fields) return undefined;
  const { MESSAGE, SYSLOG_IDENTIFIER, log, time } = fields;
  if (MESSAGE !== undefined && MESSAGE !== null) {
    const program = typeof SYSLOG_IDENTIFIER === "string" ? SYSLOG_IDENTIFIER : undefined;
    return unpackRepeat({
      at: journalTime(fields),
      program,
      text: journalText(MESSAGE),
      repeat: 1,
    });
  }
  if (typeof log !== "string") return undefined;
  const message = openText(log.replace(/\r?\n$/, ""), receivedAt);
  const at = message.at ?? (typeof time === "string" ? readIsoStamp(time)?.at : undefined);
  return { ...message, at };
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
export function journalTime(fields: Fields): number | undefined {
  const micros = Number(fields["_SOURCE_REALTIME_TIMESTAMP"] ?? fields["__REALTIME_TIMESTAMP"]);
  return Number.isFinite(micros) ? Math.floor(micros / 1000) : undefined;
}

/** A message with control bytes is an array of bytes there. */
export function journalText(message: unknown): string {
  if (typeof message === "string") return message;
  if (!Array.isArray(message)) return "";
  return Buffer.from(message.filter((byte) => typeof byte === "number")).toString();
}

/** Does the text begin as Dovecot's processes do? */
function isOwnText(text: string): boolean {
  return /^(?:[a-z0-9]{1,16}-login: |auth(?:-worker)?(?:: |\()|pam_[a-z0-9_]{1,24}\(dovecot)/.test(
    text.slice(0, 48),
  );
}

/**
 * Does this program of syslog speak for Dovecot? An instance's name begins with
 * dovecot by custom; PAM writes as Dovecot's auth process.
 */
export function isDovecotProgram(program: string): boolean {
  return (
    program.startsWith("dovecot") ||
    program === "auth" ||
    program === "auth-worker" ||
    program === "PAM-warn"
  );
}
