/**
 * Lines that a syslog daemon may have cut: after 255 bytes (BusyBox), 480 bytes (RFC 5424 section
 * 6.1), or 1, 2, 4 or 8 KiB. A client can choose a text so long that the cut is right behind an
 * address in the text.
 */

/** The writer of a message, as far as the line names one. */
export interface Writer {
  /** The tag of syslog without a process id; undefined: no syslog daemon has written the line. */
  program: string | undefined;
  /** Other tags that stand for `dovecot` (LogFacts). */
  instances?: readonly string[] | undefined;
}

/** The header is taken off: a stamp, a host and a program of at most 88 bytes, or 148 in long lines. */
const CUT_LENGTHS = [
  [392, 480],
  [876, 1_024],
  [1_900, 2_048],
  [3_948, 4_096],
  [8_044, Number.MAX_SAFE_INTEGER],
] as const;

/** One byte, spelled by the daemon after the cut: `#303`, `\303`, `\xc3`, `^M`, `M-c`, U+FFFD. */
const SPELLED = /[\\#]\d{3}|\\x[0-9a-fA-F]{2}|\^[@-_]|M[-^].|\ufffd/g;

/** May a syslog daemon have spelled a byte of the text with several characters? */
export const hasSpelledByte = (text: string): boolean => text.search(SPELLED) >= 0;

/** `text`: the whole message, as its program wrote it. */
export function mayBeCut(text: string, writer: Writer): boolean {
  if (text.length * 3 < SHORTEST) return false;
  const { longest, shortest } = lengthsOf(text);
  const isInRange = CUT_LENGTHS.some(([least, most]) => longest >= least && shortest <= most);
  return isInRange || mayBeCutByBusybox(text, writer);
}

/**
 * BusyBox's syslogd reads 255 bytes of a packet (sysklogd/syslogd.c, MAX_READ). Before the message
 * stand `<22>` or `<134>`, `Mar  3 04:05:06 `, and the program's name with a colon and a space.
 */
const BUSYBOX_BYTES = 255;
const BUSYBOX_HEADERS = ["<22>Mar  3 04:05:06 : ".length, "<134>Mar  3 04:05:06 : ".length];
/** The longest name of a program, in bytes. */
const LONGEST_NAME = 70;
const SHORTEST = BUSYBOX_BYTES - LONGEST_NAME - 23;

/** A message has one of few lengths, because nothing of the header is unknown. */
export function mayBeCutByBusybox(text: string, { program, instances = [] }: Writer): boolean {
  if (program === undefined || text.length * 3 < SHORTEST) return false;
  const { longest, shortest } = lengthsOf(text);
  if (longest < SHORTEST || shortest > BUSYBOX_BYTES) return false;
  const names = program === "dovecot" ? [program, ...instances] : [program];
  const lengths = names.flatMap((name) =>
    BUSYBOX_HEADERS.map((header) => BUSYBOX_BYTES - header - name.length),
  );
  return lengths.some((length) => longest >= length && shortest <= length);
}

/** In bytes: as the line has the text, and as it was before a daemon has spelled bytes. */
function lengthsOf(text: string): { longest: number; shortest: number } {
  return {
    longest: Buffer.byteLength(text),
    shortest: Buffer.byteLength(text.replaceAll(SPELLED, "?")),
  };
}
