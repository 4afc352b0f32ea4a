/** One measured figure, as `npm run bench` prints it. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Where it was measured many times: the middle, and what 99 of 100 stay under. */
  p50?: number;
  p99?: number;
  hosts?: number;
  /** What others reached in the same run, by their names. */
  beside?: Record<string, number>;
}

/** The value that a share `p` (0 to 1) of the values does not exceed. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
}
