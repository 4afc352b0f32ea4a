/**
 * Whether this host is in touch with whoever decides.
 *
 * The sign is the leader's sign of life in the settings bucket (see SignOfLife): it comes only where
 * NATS, a coordinator and the lease are all in order. Until the first one was read, for example
 * with a coordinator of an older version, the connection to NATS must do.
 */
export interface Contact {
  /** The leader has given a sign of life. */
  noteSign(): void;
  /** Looks at the connection; to be called every second. */
  look(): void;
  /** For how long nobody was in touch, milliseconds. */
  lostForMs(): number;
}

export interface ContactOptions {
  /** Is the connection to NATS up? */
  isUp: () => boolean;
  /** Milliseconds, of any beginning. */
  clock: () => number;
}

export function createContact({ isUp, clock }: ContactOptions): Contact {
  let lastAt = clock();
  let hasSigns = false;
  return {
    noteSign() {
      hasSigns = true;
      lastAt = clock();
    },
    look() {
      if (!hasSigns && isUp()) lastAt = clock();
    },
    lostForMs: () => clock() - lastAt,
  };
}
