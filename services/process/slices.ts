import { setImmediate as nextTurn } from "node:timers/promises";

/** The longest time of one slice, in milliseconds: everything else waits for the slice. */
const SLICE_MS = 1;
/** The clock is read once per this many steps. */
const ITEMS_PER_LOOK = 16;

/**
 * Does `work` for every item, and lets everything else that waits have its turn every
 * millisecond. What is iterated over may change meanwhile.
 */
export async function inSlices<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let began = performance.now();
  let done = 0;
  for (const item of items) {
    work(item);
    done += 1;
    if (done % ITEMS_PER_LOOK !== 0 || performance.now() - began < SLICE_MS) continue;
    await nextTurn();
    began = performance.now();
  }
}

/** The first `count` of the items that are wanted. Reads no further than to these. */
export async function firstInSlices<T>(
  items: Iterable<T>,
  count: number,
  isWanted: (item: T) => boolean,
): Promise<T[]> {
  const found: T[] = [];
  function* untilFound() {
    for (const item of items) {
      yield item;
      if (found.length === count) return;
    }
  }
  await inSlices(untilFound(), (item) => {
    if (isWanted(item)) found.push(item);
  });
  return found;
}
