/**
 * What open pages add to the coordinator's memory. It is read after a collection of garbage, without
 * pages and with pages that have been open for a while, in turns: what grows or shrinks meanwhile is
 * not taken for theirs. While they are open the same work is done as while they are not.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Memory, MemoryProbe } from "../harness/program-memory.ts";
import { percentile, type Figure } from "./figure.ts";

export interface PagesMemoryOptions {
  memory: MemoryProbe;
  /** How many pages `open` opens. */
  count: number;
  open: () => Promise<AsyncDisposable>;
  work: () => Promise<unknown>;
}

const ROUNDS = 5;
/** Every page has asked each of its questions. */
const OPEN_MS = 15_000;

export async function measurePagesMemory(options: PagesMemoryOptions): Promise<Figure[]> {
  const { memory, count, open, work } = options;
  const settle = async (): Promise<Memory> => {
    await Promise.all([work(), pause(OPEN_MS)]);
    return memory.read();
  };
  const [without, added]: [Memory[], Memory[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await settle();
    const pages = await open();
    const during = await settle();
    await pages[Symbol.asyncDispose]();
    without.push(before);
    added.push({ used: during.used - before.used, resident: during.resident - before.resident });
  }
  return [
    figureOf("web, memory without pages", without),
    figureOf(`web, memory of ${count} pages`, added),
  ];
}

/** The middle of all rounds. */
function figureOf(name: string, seen: readonly Memory[]): Figure {
  const middle = (of: keyof Memory) =>
    percentile(
      seen.map((each) => each[of]),
      0.5,
    ) / 1e6;
  return {
    name,
    value: middle("used"),
    unit: "MB in use",
    beside: { resident: middle("resident") },
  };
}
