/**
 * Whether something may be said again: of each kind once in `everyMs`. A log that somebody else
 * makes us write must not grow as fast as he likes, nor what we remember of him.
 */
export function createRateLimit(everyMs: number, now: () => number): (kind: string) => boolean {
  const saidAt = new Map<string, number>();
  return (kind) => {
    const at = now();
    if (at - (saidAt.get(kind) ?? -Infinity) < everyMs) return false;
    saidAt.delete(kind); // the Map keeps the order of insertion: what was said last stands last
    saidAt.set(kind, at);
    for (const [other, said] of saidAt) {
      if (at - said < everyMs) break;
      saidAt.delete(other);
    }
    return true;
  };
}
