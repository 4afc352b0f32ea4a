/** Lines that are JSON: journald, Docker, and the collectors of `json-fields`. */
import {
  isFields,
  parseJson,
  readDockerRecord,
  readRecord,
  type Fields,
  type JsonRecord,
} from "./json-fields.ts";
import { journalText, journalTime } from "./journal-entry.ts";
import type { Message, Opening, Outer } from "./message.ts";
import { openNamed } from "./named-program.ts";
import { readStamp } from "./stamps.ts";
import { writtenAtOf, type StampClock, type WrittenAt } from "./timestamp.ts";
import { dovecotName, isDovecotContainer } from "./writers.ts";

/** A text that begins with a brace or a bracket; undefined: it is no JSON, or has no line in it. */
export function openCollected(text: string, outer: Outer, opening: Opening): Message | undefined {
  if (text.startsWith("{") && !text.startsWith('{"')) return openLabelled(text, outer, opening);
  return openJson(text, outer, opening);
}

/** `{container="dovecot", job="mail"} Mar  3 ...`: logcli, behind Loki's time. */
const LABELS = /^\{((?:[A-Za-z_]\w{0,63}="(?:[^"\\]|\\.){0,512}"(?:, ?)?){0,40})\}[ \t]{1,8}/;
const LABEL = /([A-Za-z_]\w{0,63})="((?:[^"\\]|\\.){0,512})"/g;
const LONGEST_LABELS = 8_192;

function openLabelled(text: string, outer: Outer, opening: Opening): Message | undefined {
  const match = LABELS.exec(text.slice(0, LONGEST_LABELS));
  if (!match) return openJson(text, outer, opening);
  const pairs = [...(match[1] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]);
  const labels = Object.fromEntries(pairs) as Record<string, string>;
  return openFields({ labels, line: text.slice(match[0].length) }, undefined, outer, opening);
}

function openJson(text: string, outer: Outer, opening: Opening): Message | undefined {
  const docker = readDockerRecord(text);
  if (docker) return openRead(docker, undefined, outer, opening);
  const value = parseJson(text);
  return value === undefined ? undefined : openRecord(value, outer, opening);
}

/**
 * `tail.0: [1772507106.784598, {"log":"..."}]`: Fluent Bit. `mail: {"log":"..."}` and, between tabs,
 * `mail  {"log":"..."}`: Fluentd, behind its stamp.
 */
const RECORD_TAG = /^[\w./*-]{1,200}(?:: |\t)(?=[[{])/;

export function openTaggedRecord(
  text: string,
  outer: Outer,
  opening: Opening,
): Message | undefined {
  const last = text.at(-1);
  if (last !== "}" && last !== "]") return undefined;
  const tag = RECORD_TAG.exec(text.slice(0, 210))?.[0];
  return tag === undefined ? undefined : openJson(text.slice(tag.length), outer, opening);
}

/**
 * `{...}`, `[{...}]`, `[TIME, {...}]`, `[[TIME, {}], {...}]`, and what is pushed to Loki. An array of
 * several records is no line.
 */
export function openRecord(value: unknown, outer: Outer, opening: Opening): Message | undefined {
  if (isFields(value)) return openFields(value, undefined, outer, opening);
  if (!Array.isArray(value)) return undefined;
  const [first, second] = value as unknown[];
  if (value.length === 1 && isFields(first)) return openFields(first, undefined, outer, opening);
  if (value.length !== 2 || !isFields(second) || isFields(first)) return undefined;
  return openFields(second, Array.isArray(first) ? first[0] : first, outer, opening);
}

function openFields(
  fields: Fields,
  time: unknown,
  outer: Outer,
  opening: Opening,
): Message | undefined {
  if (fields["MESSAGE"] !== undefined && JOURNAL.some((name) => fields[name] !== undefined)) {
    return openJournal(fields, time, outer, opening);
  }
  return openRead(readRecord(fieldsOfPush(fields) ?? fields), time, outer, opening);
}

function openRead(
  record: JsonRecord,
  time: unknown,
  outer: Outer,
  opening: Opening,
): Message | undefined {
  if (record.text === undefined) return undefined;
  const message = openWritten(record, outer, opening);
  // A collector may have read the line late: when Dovecot wrote it, its own stamp says best.
  const collected = readTime(time ?? record.time, opening.clock);
  message.written = writtenAtOf(message.written, collected);
  return message;
}

/** Fields of journald beside MESSAGE, which syslog-ng has, too. */
const JOURNAL = ["__REALTIME_TIMESTAMP", "SYSLOG_IDENTIFIER", "CONTAINER_NAME"];

/** Journald's time is exact, and wins over whatever the message begins with. */
function openJournal(
  fields: Fields,
  time: unknown,
  given: Outer,
  opening: Opening,
): Message | undefined {
  const { MESSAGE, SYSLOG_IDENTIFIER, CONTAINER_NAME } = fields;
  const isContainers = CONTAINER_NAME !== undefined;
  const at = journalTime(fields);
  if (!isContainers && SYSLOG_IDENTIFIER === "dovecot" && typeof MESSAGE === "string" && at) {
    return openNamed("dovecot", MESSAGE, { ...given, written: at }, opening);
  }
  const record = readRecord(fields);
  if (record.text === undefined) return undefined;
  const written = at ?? readTime(time ?? record.time, opening.clock) ?? given.written;
  const outer = { ...given, written };
  // Whatever a container calls itself in syslog's words, it is the container that wrote the entry.
  if (isContainers) record.program = undefined;
  if (opening.writers.writers !== "chosen") return openWritten(record, outer, opening);
  // What was chosen by other fields is a line of any kind, whatever its writer calls itself.
  const name = programOf(record);
  const known = name === undefined ? undefined : dovecotName(name, opening.writers);
  if (known !== undefined) return openProgram(known, textOf(record), outer, opening);
  return opening.openLine(textOf(record), { ...outer, depth: outer.depth + 1 }, opening);
}

/** Whoever is named must be Dovecot: the container, and the program where the record names one. */
function openWritten(record: JsonRecord, outer: Outer, opening: Opening): Message {
  const { writers } = opening;
  const text = textOf(record);
  const container = typeof record.container === "string" ? record.container : undefined;
  if (record.container !== undefined && !isDovecotContainer(container ?? "?", writers)) {
    const foreign = { ...outer, program: container ?? "?", isForeign: true };
    return opening.openLine(text, { ...foreign, depth: outer.depth + 1 }, opening);
  }
  const program = programOf(record);
  if (program === undefined) {
    return opening.openLine(text, { ...outer, depth: outer.depth + 1 }, opening);
  }
  const name = dovecotName(program, writers);
  const isForeign = outer.isForeign || name === undefined;
  return openProgram(name ?? program, text, { ...outer, isForeign }, opening);
}

/** `dovecot: imap-login: ...`: some templates keep the tag in the message. */
const TAG = /^dovecot(?:\[\d{1,10}\])?: /;

function openProgram(program: string, given: string, outer: Outer, opening: Opening): Message {
  const tag = given.startsWith("dovecot") ? TAG.exec(given.slice(0, 24)) : null;
  return openNamed(program, tag ? given.slice(tag[0].length) : given, outer, opening);
}

function textOf({ text }: JsonRecord): string {
  const line = journalText(text);
  // Docker keeps the end of a line; %msg% of rsyslog begins with the space before a message.
  const end = line.endsWith("\n") ? (line.endsWith("\r\n") ? -2 : -1) : line.length;
  return line.slice(line.startsWith(" ") ? 1 : 0, end);
}

/** `dovecot`, `dovecot[241]:` */
function programOf({ program }: JsonRecord): string | undefined {
  if (program === undefined) return undefined;
  if (typeof program !== "string") return "?";
  return /^([^\s:[\]]{1,128})(?:\[\d{0,10}\])?:?$/.exec(program)?.[1] ?? "?";
}

/** `{"streams":[{"stream":{"container":"dovecot"},"values":[["1772507106784598000","..."]]}]}` */
function fieldsOfPush({ streams }: Fields): Fields | undefined {
  if (!Array.isArray(streams) || streams.length !== 1) return undefined;
  const [pushed] = streams as unknown[];
  if (!isFields(pushed) || !Array.isArray(pushed["values"])) return undefined;
  const values = pushed["values"] as unknown[];
  const [value] = values;
  if (values.length !== 1 || !Array.isArray(value)) return undefined;
  const [ts, line] = value as unknown[];
  return { stream: pushed["stream"], ts, line };
}

/** "2026-03-03T04:05:06Z", 1772507106, "1772507106.123", or milliseconds and smaller parts. */
function readTime(time: unknown, clock: StampClock): WrittenAt | undefined {
  if (typeof time === "string" && !/^\d{10,19}(?:\.\d{1,9})?$/.test(time)) {
    const stamp = readStamp(time.slice(0, 40), clock);
    return stamp && { at: stamp.at, hasZone: stamp.hasZone };
  }
  if (typeof time !== "string" && typeof time !== "number") return undefined;
  // Ten digits are seconds in every year until 2286.
  const digits = Math.floor(Number(time)).toString().length;
  if (digits < 10 || digits > 19) return undefined;
  return { at: Math.floor(Number(time) / 10 ** (digits - 13)), hasZone: true };
}
