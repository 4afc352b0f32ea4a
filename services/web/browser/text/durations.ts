/** Durations in fail2ban's grammar: "20m", "1d 12h". */

/** fail2ban's own lengths: a month is 30.4375 days, a year 365.25. */
const SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  mo: 2_629_800,
  y: 31_557_600,
};
const WHOLE = /^(?:\d{1,9}(?:\.\d{1,3})?\s*(?:mo|[smhdwy])?\s*)+$/;

/** Whole seconds; undefined when `text` is no duration. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (trimmed.length > 40 || !WHOLE.test(trimmed)) return undefined;
  let seconds = 0;
  for (const [, number = "", unit = "s"] of trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(mo|[smhdwy])?/g)) {
    seconds += Number(number) * (SECONDS[unit] ?? 0);
  }
  return seconds >= 1 ? Math.round(seconds) : undefined;
}

/** "20m", "1d 12h", "for ever": the two largest units. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null) return "for ever";
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const unit of ["y", "d", "h", "m", "s"]) {
    const length = SECONDS[unit] ?? 1;
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}

/** "8 ms", "0.4 ms", "1.2 s". */
export function formatMs(milliseconds: number): string {
  if (milliseconds === 0) return "under 1 ms";
  if (milliseconds < 1) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return formatDuration(milliseconds / 1000);
}
