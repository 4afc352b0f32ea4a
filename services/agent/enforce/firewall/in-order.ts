/** Runs each piece of work after the one before it, whether that succeeded or not. */
export type InOrder = <T>(work: () => Promise<T>) => Promise<T>;

export function createInOrder(): InOrder {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => {});
    return result;
  };
}
