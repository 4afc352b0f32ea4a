/**
 * Bounds what a label may say. Prometheus keeps a series for every value for months, and an agent
 * chooses the names of its sources. Without credentials anybody may call themselves anything.
 */

/** A value that had no room. */
export const OTHER = "other";

/** The first `most` different values are themselves; those that come later are `OTHER`. */
export function createLabelValues(most: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= most) return OTHER;
    known.add(value);
    return value;
  };
}
