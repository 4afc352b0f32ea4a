/**
 * A line as fail2ban shows it to its filters: without its date, the rest as it
 * stands; an entry of the journal as `host program[pid]: message`.
 */
import { journalText, journalTime } from "../lines/journal-entry.ts";
import { readFields } from "../lines/json-fields.ts";
import type { StampClock, WrittenAt } from "../lines/timestamp.ts";
import type { FindDate } from "../lines/find-date.ts";

export interface OpenedLine {
  /** undefined: the line does not say when. */
  written: WrittenAt | undefined;
  text: string;
  /** How many such events the line stands for. */
  repeat: number;
}

export function openLine(line: string, clock: StampClock, findDate: FindDate): OpenedLine {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return (
    (text.startsWith("{") ? openJson(text, clock, findDate) : undefined) ??
    openText(text, clock, findDate)
  );
}

function openText(text: string, clock: StampClock, findDate: FindDate): OpenedLine {
  const date = findDate(text, clock);
  if (!date) return unpackRepeat({ written: undefined, text, repeat: 1 });
  const { from, to } = date;
  return unpackRepeat({ written: date, text: text.slice(0, from) + text.slice(to), repeat: 1 });
}

function openJson(line: string, clock: StampClock, findDate: FindDate): OpenedLine | undefined {
  const fields = readFields(line);
  if (!fields) return undefined;
  const { MESSAGE, SYSLOG_IDENTIFIER, SYSLOG_PID, _HOSTNAME, _PID, log } = fields;
  if (typeof log === "string") return openText(log.replace(/\r?\n$/, ""), clock, findDate);
  if (MESSAGE === undefined || MESSAGE === null) return undefined;
  const word = (value: unknown) => (typeof value === "string" ? value : "");
  const pid = word(SYSLOG_PID ?? _PID);
  const program = word(SYSLOG_IDENTIFIER) + (pid === "" ? "" : `[${pid}]`);
  const text = ` ${word(_HOSTNAME)} ${program}: ${journalText(MESSAGE)}`;
  return unpackRepeat({ written: journalTime(fields), text, repeat: 1 });
}

/** `...: message repeated 4 times: [ ...]` stands for four such lines without these words. */
function unpackRepeat(line: OpenedLine): OpenedLine {
  const at = line.text.indexOf(": message repeated ");
  if (at < 0 || !line.text.endsWith("]")) return line;
  const match = /^: message repeated (\d{1,4}) times: \[ /.exec(line.text.slice(at, at + 48));
  if (!match) return line;
  const text = `${line.text.slice(0, at)}: ${line.text.slice(at + match[0].length, -1)}`;
  return { ...line, text, repeat: Math.min(Number(match[1]), 1000) };
}
