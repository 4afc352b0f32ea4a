/**
 * `Mar  3 04:05:36 mx1 last message repeated 4 times`: BSD's syslogd and sysklogd write it in place
 * of as many further lines like the one before, `mx1 dovecot: last message repeated 4 times` too.
 *
 * The envelope is off by now, so that nothing a client sends can stand before these words.
 */
import type { Message } from "./envelope.ts";

const REPETITION = /^(?:[\w.:-]{1,255} )?last message repeated (\d{1,6}) times?$/;

/** How often the line before came again; undefined: the message is another one. */
export function readRepetition({ text }: Message): number | undefined {
  const count = text.length < 320 ? REPETITION.exec(text)?.[1] : undefined;
  return count === undefined ? undefined : Number(count);
}
