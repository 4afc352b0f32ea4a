/** What one line of any log says of Dovecot's authentication, taken alone. */
import { openEnvelope, openParsed } from "../lines/envelope.ts";
import type { Message } from "../lines/message.ts";
import { splitRecords } from "../lines/json-records.ts";
import { LOCAL_LOG, type LogFacts } from "../lines/log-facts.ts";
import { isOwnText } from "../lines/own-log.ts";
import { readAuthLine } from "./auth-line.ts";
import type { Writer } from "./cut-line.ts";
import { readLoginLine } from "./login-line.ts";
import { readPamLine } from "./pam-line.ts";
import {
  emptyReading,
  OTHER_WRITER,
  SEVERAL_RECORDS,
  unrecognizedReading,
  type Reading,
} from "./reading.ts";

/** A longer line is looked at by nobody; a journal's JSON around a message takes a few kB. */
export const MAX_LINE_BYTES = 65_536;
/** A longer message is none of Dovecot's: its log process splits messages at 4096 bytes. */
const MAX_MESSAGE_LENGTH = 8_192;

/** `receivedAt` (epoch milliseconds) tells the year of a stamp that has none. */
export function readLine(line: string, receivedAt: number, log: LogFacts = LOCAL_LOG): Reading {
  if (line.length > MAX_LINE_BYTES) return emptyReading();
  const clock = { receivedAt, zone: log.zone };
  const message = openEnvelope(line, clock, log);
  const reading = readWritten(message, log);
  if (reading.form !== null) return reading;
  const isMissed = splitRecords(message.text).some((record) => {
    const opened = openParsed(record, clock, log);
    if (!opened) return false;
    const { verdict, isUnrecognized } = readWritten(opened, log);
    return verdict === "failure" || isUnrecognized;
  });
  return isMissed ? unrecognizedReading(SEVERAL_RECORDS) : reading;
}

function readWritten(message: Message, { instances }: LogFacts): Reading {
  const { written, program, text, repeat, isForeign } = message;
  const reading = isForeign ? readForeign(text) : readMessage(text, { program, instances });
  reading.at = written?.at;
  reading.hasZone = written?.hasZone ?? false;
  reading.repeat = repeat;
  return reading;
}

/**
 * What another program or container wrote counts nothing. If it reads like an attempt, Dovecot may
 * have another name there than the source says, so the line is reported.
 */
function readForeign(text: string): Reading {
  if (!isOwnText(text) || text.startsWith("pam_")) return emptyReading();
  const { verdict } = readMessage(text, { program: undefined });
  return verdict === "failure" ? unrecognizedReading(OTHER_WRITER) : emptyReading();
}

function readMessage(text: string, writer: Writer): Reading {
  const { program } = writer;
  // PAM cuts no name, and reports a line that is too long to be read. Most lines are not PAM's.
  const mayBePam = program !== "dovecot" || text.startsWith("pam_");
  const pam = mayBePam ? readPamLine(text, writer) : undefined;
  if (pam) return pam;
  if (text.length > MAX_MESSAGE_LENGTH) return emptyReading();
  // As these, PAM alone writes; `auth: auth: ...` would be somebody's forgery.
  if (program === "auth" || program === "auth-worker" || program === "PAM-warn") {
    return emptyReading();
  }
  return readLoginLine(text, writer) ?? readAuthLine(text, writer) ?? emptyReading();
}
