/**
 * One thing after the other, the most urgent first. Each kind of work is asked for by its name,
 * and a kind that was asked for twice before its turn is done once.
 */
export interface WorkQueue<Kind extends string> {
  ask(kind: Kind): void;
  /** Resolves when everything that is asked for by now has had its turn. */
  settled(): Promise<void>;
  /** Resolves when the work that is under way is done; nothing else begins. */
  stop(): Promise<void>;
}

/** `works`: every kind of work, the most urgent first. */
export function createWorkQueue<Kind extends string>(
  works: ReadonlyMap<Kind, () => Promise<void>>,
  onFailed: (error: unknown) => void,
): WorkQueue<Kind> {
  const asked = new Set<Kind>();
  let underWay: Kind | undefined;
  let isStopped = false;
  let running: Promise<void> | undefined;
  /** Each waits until these kinds have had their turn. */
  const waiting = new Set<{ kinds: Set<Kind>; resolve: () => void }>();

  async function run(): Promise<void> {
    await Promise.resolve(); // whatever else is asked for in the same turn of the event loop
    for (let kind = next(); kind !== undefined; kind = next()) {
      underWay = kind;
      asked.delete(kind);
      await works.get(kind)?.().catch(onFailed);
      underWay = undefined;
      noteDone(kind);
    }
    running = undefined;
  }

  const next = () => (isStopped ? undefined : [...works.keys()].find((kind) => asked.has(kind)));

  function noteDone(kind: Kind): void {
    for (const waiter of waiting) {
      if (!asked.has(kind)) waiter.kinds.delete(kind);
      if (waiter.kinds.size > 0) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
  }

  return {
    ask(kind) {
      asked.add(kind);
      if (!isStopped) running ??= run();
    },
    settled() {
      const kinds = new Set([...asked, ...(underWay === undefined ? [] : [underWay])]);
      if (kinds.size === 0 || isStopped) return Promise.resolve();
      return new Promise((resolve) => waiting.add({ kinds, resolve }));
    },
    async stop() {
      isStopped = true;
      await running;
      for (const { resolve } of waiting) resolve();
    },
  };
}
