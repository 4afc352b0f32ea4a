/**
 * The message of a program that the line names. Dovecot in a container or on stderr puts a stamp of
 * its own in front of the message, and Docker hands whole syslog lines of a container on to syslog.
 */
import { messageOf, type Message, type Opening, type Outer } from "./message.ts";
import { findOwnText, withoutLevel } from "./own-log.ts";
import { readUsualTag, withoutMark } from "./program-tag.ts";
import { endOfStamp, readStamp } from "./stamps.ts";
import { writtenAtOf } from "./timestamp.ts";

export function openNamed(program: string, given: string, outer: Outer, opening: Opening): Message {
  const text = withoutMark(given);
  const named = { ...outer, program };
  if (!isStampLike(text)) return messageOf(text, named);
  const { clock } = opening;
  const own = findOwnText(text, outer.written, clock);
  if (own) return messageOf(own.text, { ...outer, program: undefined, written: own.written });
  const stamp = readStamp(text, clock);
  if (!stamp) return messageOf(text, named);
  const written = writtenAtOf(outer.written, stamp);
  const from = readUsualTag(text, stamp.end);
  if (from !== undefined) return messageOf(text.slice(from), { ...named, written });
  const behind = withoutLevel(text.slice(endOfStamp(text, stamp)));
  if (behind === undefined) return messageOf(text, named);
  return messageOf(behind, { ...outer, program: undefined, written });
}

/** None of Dovecot's processes has a name that begins so. */
export function isStampLike(text: string): boolean {
  const first = text.charCodeAt(0);
  return first < 58 || (first >= 64 && first <= 91); // a digit, @, [, an upper-case letter
}
