import { formatShare } from "../text/numbers.ts";

interface ShareProps {
  part: number;
  whole: number;
  /** The longest bar of the table. */
  most: number;
}

/** A bar beside the share in words. */
export function Share({ part, whole, most }: ShareProps) {
  return (
    <span class="share">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect width={most === 0 ? 0 : Math.max((100 * part) / most, 0.5)} height="8" rx="1" />
      </svg>
      <span>{formatShare(part, whole)}</span>
    </span>
  );
}
