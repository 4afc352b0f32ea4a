/** Conditions of one source that its operator should know. */
import { formatDuration } from "../../../config/duration.ts";
import { describeSelection } from "../../../process/journal.ts";
import type { Jail } from "../../../wire/settings.ts";
import { warn, type Warning } from "../../../wire/warnings.ts";
import type { SourceConfig } from "../../agent-config.ts";
import type { LogTime } from "./log-clock.ts";
import type { Surroundings } from "./surroundings.ts";

/** Lines were lost. */
export interface Gap {
  /** Epoch milliseconds. */
  foundAt: number;
  reason: string;
}

export interface SourceConditions {
  config: SourceConfig;
  /** "idle": nobody has looked for it yet, because how its jail counts is not known. */
  state: "idle" | "reading" | "waiting" | "failed";
  /** Why it cannot be read. */
  trouble: string | undefined;
  /** Bytes that are written and not yet read. */
  lag: number;
  filter: {
    /** Lines of which the jail's filter has looked at the beginning and the end alone. */
    shortened: number;
    /** Why this agent cannot use the jail's filter. */
    unusable: string | undefined;
  };
  gap: Gap | undefined;
  time: LogTime;
  /** Lines of the last hour that look like attempts and are not understood, if more than a few. */
  unrecognized: { count: number; sample: string } | undefined;
  /** As the coordinator has them; none: it has not been heard yet. */
  jails: readonly Jail[];
  surroundings: Omit<Surroundings, "look">;
}

/** A source that is further behind than this does not keep up. */
const MUCH_LAG_BYTES = 10_000_000;

export function warningsOfSource(conditions: SourceConditions): Warning[] {
  const { config, state, lag, gap, time, jails, surroundings } = conditions;
  const { name: source, path, jail } = config;
  const where = path ?? describeSelection(config);
  const warnings: Warning[] = [];
  if (gap) warnings.push(warn("source-gap", { source, ...gap }, source));
  const trouble =
    surroundings.journalTrouble() ?? (state === "failed" ? conditions.trouble : undefined);
  if (trouble !== undefined || state === "failed") {
    const reason = trouble ?? "run fleetban-agent check there";
    warnings.push(warn("source-failed", { source, where, reason }, source));
  }
  if (state === "waiting" && path !== undefined) {
    warnings.push(warn("source-missing", { source, path }, source));
  }
  const unit = surroundings.missingUnit();
  if (unit !== undefined) warnings.push(warn("source-unit-missing", { source, unit }, source));
  const port = surroundings.quietPort();
  if (port !== undefined && state === "reading" && trouble === undefined) {
    warnings.push(warn("source-quiet", { source, where, port }, source));
  }
  if (time.state === "wrong") {
    const amount = formatDuration(Math.abs(time.aheadMs) / 1000);
    const difference = time.aheadMs > 0 ? `${amount} ahead of` : `${amount} behind`;
    warnings.push(warn("log-clock", { source, difference }, source));
  }
  if (conditions.unrecognized) {
    warnings.push(
      warn("lines-not-understood", { source, where, ...conditions.unrecognized }, source),
    );
  }
  if (lag > MUCH_LAG_BYTES) {
    warnings.push(warn("source-lag", { source, megabytes: Math.round(lag / 1e6) }, source));
  }
  const { shortened, unusable } = conditions.filter;
  if (unusable !== undefined) {
    warnings.push(warn("filter-unusable", { source, jail, reason: unusable }, source));
  }
  if (shortened > 0) warnings.push(warn("lines-shortened", { source, lines: shortened }, source));
  if (jails.length > 0 && !jails.some(({ name }) => name === jail)) {
    warnings.push(warn("unknown-jail", { source, jail }, source));
  }
  return warnings;
}
