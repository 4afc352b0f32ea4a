/**
 * Dovecot's own log (`log_path`): behind a stamp as `log_timestamp` says, whatever that is, the
 * process's name and the level. Nothing in it before the process's name is a client's.
 */
import { findDate } from "./find-date.ts";
import { writtenAtOf, type StampClock, type WrittenAt } from "./timestamp.ts";

const OWN_BEGINNING =
  /^(?:[a-z0-9]{1,16}-login: |auth(?:-worker)?(?:: |\()|pam_[a-z0-9_]{1,24}\(dovecot)/;

/** Does the text begin as Dovecot's processes do? */
export function isOwnText(text: string): boolean {
  return OWN_BEGINNING.test(text);
}

/** `Info: auth(default): ...`: Dovecot 1 has the level in front of the process's name. */
const LEVEL = /^(?:Info|Warning|Error): /;

export function startsWithLevel(text: string): boolean {
  return LEVEL.test(text.slice(0, 12));
}

/** The text as Dovecot's processes begin it; undefined: they do not begin so. */
export function withoutLevel(text: string): string | undefined {
  if (isOwnText(text)) return text;
  const level = LEVEL.exec(text.slice(0, 12))?.[0].length ?? 0;
  return level > 0 && isOwnText(text.slice(level)) ? text.slice(level) : undefined;
}

/** `03.03.2026 04:05:06 imap-login: Info: `, `[...] auth-worker(17): Info: `, `... auth(bob,192.0.2.1,`. */
const OWN =
  /(?:[a-z0-9]{1,16}-login: |auth(?:-worker)?(?:\(\d{1,10}\))?: )(?:Info|Warning|Error): |auth(?:-worker)?\((?!\d{1,10}\))/;
/** Numbers and what stands between them, names of months, days and zones; no `name: `. */
const STAMP = /^(?:[\d.,;/+\-[\]()@|_ ]|:(?! )|[A-Z][a-z]{2,8}\b|[A-Z]{1,5}(?![A-Za-z]))*$/;
const LONGEST = 60;

/** The text behind such a stamp, and when it was written, by that stamp or by the one before it. */
export function findOwnText(
  text: string,
  outer: WrittenAt | undefined,
  clock: StampClock,
): { text: string; written: WrittenAt | undefined } | undefined {
  const from = OWN.exec(text.slice(0, LONGEST + 40))?.index ?? -1;
  if (from < 1 || from > LONGEST) return undefined;
  const stamp = text.slice(0, from);
  if (!STAMP.test(stamp) || (outer === undefined && !/\d/.test(stamp))) return undefined;
  const written = outer?.hasZone ? outer : writtenAtOf(outer, findDate(stamp, clock));
  return { text: text.slice(from), written };
}
