/**
 * Finds the names with the most attempts without adding up all names.
 *
 * The idea is the uniform threshold of TPUT (Cao, Wang: Efficient top-k query calculation in
 * distributed networks, PODC 2004). Some names that are frequent on single days are added up first;
 * the last of the best of them has `least` attempts. A name that has fewer than `threshold` attempts
 * in every cell has fewer than `least` together, so all other names may be left out.
 */

/**
 * The smallest number of attempts in one cell that a name with `least` attempts must have in one cell
 * at the least. `sizes`: how many attempts each cell has; Infinity: not known.
 */
export function thresholdOf(least: number, sizes: readonly number[]): number {
  // A name that stays below t + 1 in every cell has at most sum(min(t, size)) attempts. The sum is the
  // least of these, over i: the i smallest cells as a whole, and t for each other one.
  const sorted = sizes.toSorted((a, b) => a - b);
  let threshold = 1;
  let smaller = 0;
  for (const [index, size] of sorted.entries()) {
    threshold = Math.max(threshold, Math.ceil((least - smaller) / (sorted.length - index)));
    smaller += size;
  }
  return threshold;
}
