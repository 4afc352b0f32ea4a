/**
 * Runs each piece of work after the one before it, whether that succeeded or not. Work that takes
 * long may step aside for a part of its time: brief work that waits has its turn meanwhile. Behind
 * other long work brief work waits, too, so everything keeps its order.
 */
export interface InOrder {
  <T>(work: (aside: Aside) => Promise<T>): Promise<T>;
  /** Brief work: a change of some bans, for which nothing has to wait. */
  brief<T>(work: () => Promise<T>): Promise<T>;
}

/** Runs `part`, and brief work beside it. When this resolves no other work is under way. */
export type Aside = <T>(part: () => Promise<T>) => Promise<T>;

interface Waiting {
  isBrief: boolean;
  /** Never rejects. */
  start: () => Promise<void>;
}

export function createInOrder(): InOrder {
  const waiting: Waiting[] = [];
  let longWork: "none" | "under way" | "aside" = "none";
  let briefWork: Promise<void> | undefined;

  function startNext(): void {
    const [first] = waiting;
    if (!first || briefWork || longWork === "under way") return;
    if (!first.isBrief && longWork === "aside") return;
    waiting.shift();
    if (!first.isBrief) longWork = "under way";
    const ended = first.start().then(() => {
      if (first.isBrief) briefWork = undefined;
      else longWork = "none";
      startNext();
    });
    if (first.isBrief) briefWork = ended;
  }

  async function aside<T>(part: () => Promise<T>): Promise<T> {
    longWork = "aside";
    startNext();
    try {
      return await part();
    } finally {
      longWork = "under way"; // Nothing else begins from here on.
      await briefWork;
    }
  }

  function enqueue<T>(isBrief: boolean, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = () => Promise.resolve().then(work).then(resolve, reject);
      waiting.push({ isBrief, start });
      startNext();
    });
  }

  return Object.assign(
    <T>(work: (aside: Aside) => Promise<T>) => enqueue(false, () => work(aside)),
    { brief: <T>(work: () => Promise<T>) => enqueue(true, work) },
  );
}
