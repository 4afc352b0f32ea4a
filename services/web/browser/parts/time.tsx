import { useNow } from "../api/use-query.ts";
import {
  formatInstant,
  formatMinute,
  formatRelative,
  formatUtc,
  zoneName,
} from "../text/instants.ts";

interface TimeProps {
  at: string;
  /** "3m ago" instead of the time of the day. */
  isRelative?: boolean;
  /** With seconds. */
  isExact?: boolean;
}

/** An instant in the reader's zone; UTC on hover. */
export function Time({ at, isRelative = false, isExact = false }: TimeProps) {
  const now = useNow();
  const instant = Date.parse(at);
  const local = isExact ? formatInstant(instant) : formatMinute(instant, now);
  const title = `${formatUtc(instant)}\n${formatInstant(instant)} ${zoneName(instant)}`;
  return (
    <time dateTime={at} title={title}>
      {isRelative ? formatRelative(instant, now) : local}
    </time>
  );
}

/** The end of a ban or of an entry: how far it is, or "for ever". */
export function End({ until }: { until: string | null }) {
  if (until === null) return <span class="forever">for ever</span>;
  return <Time at={until} isRelative />;
}
