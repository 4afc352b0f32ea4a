/** The parts that subscribe to an event. They hear of it in the order in which they have subscribed. */
export interface Listeners<A extends unknown[]> {
  add(listener: (...event: A) => void): void;
  call(...event: A): void;
}

export function createListeners<A extends unknown[]>(): Listeners<A> {
  const listeners: ((...event: A) => void)[] = [];
  return {
    add: (listener) => void listeners.push(listener),
    call(...event) {
      for (const listener of listeners) listener(...event);
    },
  };
}
