/**
 * Makes room in a Map that keeps the order of insertion: a quarter of it at once, because
 * whoever takes one at a time walks over those that were taken before, every time.
 */
export function dropOldest(map: Map<string, unknown>): void {
  let count = Math.ceil(map.size / 4);
  for (const key of map.keys()) {
    if (count-- === 0) return;
    map.delete(key);
  }
}
