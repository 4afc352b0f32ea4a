/**
 * Lines that a syslog daemon may have cut: after 480 bytes (RFC 5424 section 6.1), or after 1, 2, 4
 * or 8 KiB. A client can choose a text so long that the cut is right behind an address in the text.
 */

/** The header is taken off: a stamp, a host and a program of at most 100 bytes, or 160 in long lines. */
const CUT_LENGTHS = [
  [380, 480],
  [864, 1_024],
  [1_888, 2_048],
  [3_936, 4_096],
  [8_032, Number.MAX_SAFE_INTEGER],
] as const;
const SHORTEST = CUT_LENGTHS[0][0];

/** One byte, spelled by the daemon after the cut: `#303`, `\303`, `\xc3`, `^M`, `M-c`, U+FFFD. */
const SPELLED = /[\\#]\d{3}|\\x[0-9a-fA-F]{2}|\^[@-_]|M[-^].|\ufffd/g;

/** `body`: what stands behind the name of the process or of PAM's module. */
export function mayBeCut(body: string): boolean {
  if (body.length * 3 < SHORTEST) return false;
  const longest = Buffer.byteLength(body);
  if (longest < SHORTEST) return false;
  const shortest = Buffer.byteLength(body.replaceAll(SPELLED, "?"));
  return CUT_LENGTHS.some(([least, most]) => longest >= least && shortest <= most);
}
