/** Instants as people read them: local time, and how far away. */
import { formatDuration } from "../config/duration.ts";

/** The zone of all times that are shown, such as "CET" or "UTC+5:30". */
export function zoneOf(at: number): string {
  zoneFormat ??= new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
  const parts = zoneFormat.formatToParts(at);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "local time";
}

/** It is slow to make, and a list asks for the zone in every row. */
let zoneFormat: Intl.DateTimeFormat | undefined;

/** "2026-11-24 12:14:03", local time. */
export function formatInstant(at: number): string {
  const date = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "2026-11-24 12:14:03 CET", for sentences; a column of a table has the zone in its head. */
export const formatZoned = (at: number): string => `${formatInstant(at)} ${zoneOf(at)}`;

/** "12:14:03.042", local time. */
export function formatClock(at: number): string {
  const fraction = String(new Date(at).getMilliseconds()).padStart(3, "0");
  return `${formatInstant(at).slice("2026-11-24 ".length)}.${fraction}`;
}

/** "in 18m", "3m ago", "now"; to the minute from one minute on. */
export function formatRelative(at: number, now: number): string {
  const exact = Math.abs(at - now) / 1000;
  const seconds = exact < 59.5 ? Math.round(exact) : Math.round(exact / 60) * 60;
  if (seconds === 0) return "now";
  return at > now ? `in ${formatDuration(seconds)}` : `${formatDuration(seconds)} ago`;
}

/** "2026-11-24 12:14:03 CET (in 18m)". */
export function formatBoth(at: number, now: number): string {
  return `${formatZoned(at)} (${formatRelative(at, now)})`;
}

/** The end of a ban: "until 2026-11-24 12:14:03 CET (in 18m)", "for ever". */
export function formatEnd(until: number | null, now: number): string {
  return until === null ? "for ever" : `until ${formatBoth(until, now)}`;
}

const LOCAL =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:?\d{2})?)?$/;

/** ISO 8601, local time where it names no zone; undefined when `text` is no instant. */
export function parseInstant(text: string): number | undefined {
  const [, day, time = "00:00", zone = ""] = LOCAL.exec(text) ?? [];
  if (day === undefined) return undefined;
  const at = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}
