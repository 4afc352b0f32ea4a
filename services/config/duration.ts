/** Durations in fail2ban's grammar: seconds, or numbers with units, "1d 12h"; -1 is for ever. */

/** fail2ban's own lengths (server/utils, str2seconds): a month is 30.4375 days, a year 365.25. */
const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  mo: 2_629_800,
  y: 31_557_600,
};

/** Returns seconds, null for "for ever", or undefined when `text` is no duration. */
export function parseDuration(text: string): number | null | undefined {
  const trimmed = text.trim();
  // fail2ban takes every negative bantime for "for ever".
  if (/^-\s*\d/.test(trimmed))
    return parseDuration(trimmed.slice(1)) === undefined ? undefined : null;
  if (!/^(?:\d+(?:\.\d+)?\s*(?:mo|[smhdwy])?\s*)+$/.test(trimmed) || trimmed.length > 64) {
    return undefined;
  }
  let seconds = 0;
  for (const [, number = "", unit = "s"] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(mo|[smhdwy])?/g)) {
    seconds += Number(number) * (SECONDS[unit] ?? Number.NaN);
  }
  return seconds > 0 ? seconds : undefined;
}

/** "20m", "1d 12h", "for ever": how people read a number of seconds. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null) return "for ever";
  if (seconds < 1) return "0s";
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const unit of ["d", "h", "m", "s"]) {
    const length = SECONDS[unit] ?? 1;
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0 && parts.length < 2) parts.push(`${count}${unit}`);
  }
  return parts.join(" ");
}
