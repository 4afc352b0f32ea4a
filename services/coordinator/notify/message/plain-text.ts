/** Text from elsewhere (reasons, registries, logs) as a message may carry it. */

/** Control characters, line ends, and characters that turn the direction of text around. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** One line of at most `longest` characters, without anything that could drive a terminal. */
export function plainLine(text: string, longest = 256): string {
  const line = text.replace(UNSAFE, " ").replace(/ {2,}/g, " ").trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
