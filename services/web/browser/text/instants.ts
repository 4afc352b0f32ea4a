/** Instants in the reader's time zone. */
import { formatDuration } from "./durations.ts";

const two = (number: number): string => String(number).padStart(2, "0");

const dayOf = (date: Date): string =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** "12:14:03". */
export function formatClock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** "24 Nov". */
export function formatDay(at: number): string {
  const date = new Date(at);
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
}

/** "2026-11-24 12:14:03". */
export const formatInstant = (at: number): string => `${dayOf(new Date(at))} ${formatClock(at)}`;

/** "today 12:14", "2026-11-24 12:14". */
export function formatMinute(at: number, now: number): string {
  const day = dayOf(new Date(at));
  const time = formatClock(at).slice(0, 5);
  return day === dayOf(new Date(now)) ? `today ${time}` : `${day} ${time}`;
}

/** "2026-11-24 11:14:03.042 UTC". */
export const formatUtc = (at: number): string =>
  `${new Date(at).toISOString().replace("T", " ").slice(0, -1)} UTC`;

/** " (11:14 UTC)", behind a time that nobody can point at; nothing where the reader's zone is UTC. */
export const utcBeside = (at: number): string =>
  new Date(at).getTimezoneOffset() === 0 ? "" : ` (${formatUtc(at).slice(11, 16)} UTC)`;

/** "in 18m", "3m ago", "now": one unit, two from an hour on. */
export function formatRelative(at: number, now: number): string {
  const exact = Math.abs(at - now) / 1000;
  const seconds = exact < 59.5 ? Math.round(exact) : Math.round(exact / 60) * 60;
  if (seconds === 0) return "now";
  return at > now ? `in ${formatDuration(seconds)}` : `${formatDuration(seconds)} ago`;
}

/** "All times are in Europe/Berlin (CET)." */
export function describeZone(now: number): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const name = zoneName(now);
  return timeZone === name
    ? `All times are in ${name}.`
    : `All times are in ${timeZone} (${name}). Point at a time to see it in UTC.`;
}

/** The name of the reader's zone, "CET" or "GMT+5:30". */
export function zoneName(at: number): string {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(at);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "local time";
}
