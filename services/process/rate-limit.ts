/**
 * Allows one log line per kind in `everyMs`. An attacker who causes log lines must not decide how fast
 * the log grows, nor how much this file remembers.
 */
export function createRateLimit(everyMs: number, now: () => number): (kind: string) => boolean {
  const saidAt = new Map<string, number>();
  return (kind) => {
    const at = now();
    if (at - (saidAt.get(kind) ?? -Infinity) < everyMs) return false;
    saidAt.delete(kind); // The Map keeps the order of insertion: the kind logged last stands last.
    saidAt.set(kind, at);
    for (const [other, said] of saidAt) {
      if (at - said < everyMs) break;
      saidAt.delete(other);
    }
    return true;
  };
}
