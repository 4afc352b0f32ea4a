/**
 * The table of messages by which a syslog daemon says that the line before came again, each under its
 * sample. What surrounds the message is off by now, and must not name another program: nothing a
 * client sends can stand there.
 */
import type { Message } from "./message.ts";

interface RepetitionForm {
  pattern: RegExp;
  /** The daemon gives the message the tag of the program whose line came again. */
  isTagged?: true;
}

const REPETITIONS: readonly RepetitionForm[] = [
  // mx1 last message repeated 4 times: BSD's syslogd and sysklogd; `mx1 dovecot: last message ...`, too
  { pattern: /^(?:[\w.:-]{1,255} )?last message repeated (\d{1,6}) times?$/ },
  // Last message 'imap-login: Disconne' repeated 3 times, suppressed by syslog-ng on mx1
  {
    pattern:
      /^Last message '.{0,20}' repeated (\d{1,6}) times?, suppressed by syslog-ng on \S{1,255}$/,
    isTagged: true,
  },
  //                 - Last output repeated 3 times -: metalog
  { pattern: /^ {0,32}- Last output repeated (?:(\d{1,6}) times|twice) -$/ },
];

const LONGEST = 400;

/** A line that syslog only counts stands for attempts of their own: so far apart, none is another passdb. */
export const REPEATED_APART_MS = 500;

/** How often the line before came again; undefined: the message is another one. */
export function readRepetition({ text, program, isForeign }: Message): number | undefined {
  if (isForeign || text.length > LONGEST) return undefined;
  for (const { pattern, isTagged } of REPETITIONS) {
    if (isTagged && program === undefined) continue;
    const match = pattern.exec(text);
    if (match) return match[1] === undefined ? 1 : Number(match[1]);
  }
  return undefined;
}
