/**
 * How long a ban lasts: the jail's bantime, or longer for an address that was banned before, with
 * the options and formulas of fail2ban (jail.conf, `bantime.increment` and what follows it).
 *
 * The first ban lasts bantime. The ban after n others lasts bantime * factor * multipliers[n], the
 * last multiplier counting for all later bans. Without multipliers it lasts bantime * 2^n * factor,
 * at most 2^20 and at least bantime. maxtime limits the result, then rndtime adds a random part.
 */
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
