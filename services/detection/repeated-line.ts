/** Lines with the line before in view: some say only that it came again. */
import { readLine } from "./dovecot/read-line.ts";
import type { Reading } from "./dovecot/reading.ts";
import { openEnvelope } from "./lines/envelope.ts";
import { LOCAL_LOG, type LogFacts } from "./lines/log-facts.ts";
import { readRepetition, REPEATED_APART_MS } from "./lines/repetition.ts";

/** `before`: what the line in front of this one says; undefined: nobody has read that line. */
export function readNextLine(
  line: string,
  before: Reading | undefined,
  receivedAt: number,
  log: LogFacts = LOCAL_LOG,
): Reading {
  const reading = readLine(line, receivedAt, log);
  if (reading.form !== null || before === undefined || !line.includes(" repeated ")) return reading;
  const message = openEnvelope(line, { receivedAt, zone: log.zone }, log);
  const repeat = readRepetition(message);
  if (repeat === undefined) return reading;
  if (message.written) {
    const { at, hasZone } = message.written;
    return { ...before, at, hasZone, repeat };
  }
  const at = before.at === undefined ? undefined : before.at + repeat * REPEATED_APART_MS;
  return { ...before, at, repeat };
}
