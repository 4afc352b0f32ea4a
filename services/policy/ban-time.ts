/**
 * How long a ban lasts: the jail's bantime, or longer for an address that was banned before, with
 * the options and formulas of fail2ban (jail.conf, `bantime.increment` and what follows it).
 *
 * The first ban lasts bantime. The ban after n others lasts bantime * factor * multipliers[n], the
 * last multiplier counting for all later bans. Without multipliers it lasts bantime * 2^n * factor,
 * at most 2^20 and at least bantime. maxtime limits the result, then rndtime adds a random part.
 */
import { formatDuration } from "../config/duration.ts";
import type { Jail } from "../wire/settings.ts";

type Timed = Pick<Jail, "bantime" | "increment">;

const MOST_DOUBLINGS = 20;

/** Seconds; null: for ever. `before` bans were given before; `fraction` of rndtime, 0 to 1, is added. */
export function banSeconds(
  { bantime, increment }: Timed,
  before: number,
  fraction: number,
): number | null {
  if (bantime === null || !increment || before === 0) return bantime;
  const { factor, multipliers, maxtime = Infinity, rndtime = 0 } = increment;
  const multiplier = multipliers[Math.min(before, multipliers.length - 1)];
  const grown =
    multiplier === undefined
      ? Math.max(bantime, bantime * 2 ** Math.min(before, MOST_DOUBLINGS) * factor)
      : bantime * factor * multiplier;
  return Math.min(grown, maxtime) + rndtime * fraction;
}

/** No ban of the jail for failures lasts longer; null: for ever. */
export function longestBanSeconds({ bantime, increment }: Timed): number | null {
  if (bantime === null || !increment) return bantime;
  const { multipliers } = increment;
  // The first ban has bantime, so the first multiplier counts only where it is the last, too.
  const counts = multipliers.length > 0 ? multipliers.map((_, n) => n + 1) : [MOST_DOUBLINGS];
  const lengths = counts.map((before) => banSeconds({ bantime, increment }, before, 1));
  return Math.max(bantime, ...lengths.map((seconds) => seconds ?? Infinity));
}

/** ISO 8601 has four digits for a year: a reader of a later instant rejects the whole message. */
export const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** null: never. A ban that would end after LAST_INSTANT never ends, either. */
export function endOf(start: number, seconds: number | null): number | null {
  if (seconds === null) return null;
  const end = Math.round(start + seconds * 1000);
  return end > LAST_INSTANT ? null : end;
}

/** A number from 0 to 1 from the random id, so that nobody can foresee when a ban ends. */
export const fractionOf = (id: string) => Number.parseInt(id.slice(0, 8), 16) / 2 ** 32;

/** ", offence 3: 1h 20m", at the end of the reason of a ban that has grown. */
export function describeGrowth(
  { increment }: Pick<Jail, "increment">,
  before: number,
  seconds: number | null,
): string {
  return increment && before > 0 ? `, offence ${before + 1}: ${formatDuration(seconds)}` : "";
}

const GROWTH = /, offence (\d+): [\w ]+$/;

export const withoutGrowth = (reason: string): string => reason.replace(GROWTH, "");

/** The offence that the ban's length was given for, as its reason says. */
export const offenceOfLength = (reason: string): number => Number(GROWTH.exec(reason)?.[1] ?? 1);
