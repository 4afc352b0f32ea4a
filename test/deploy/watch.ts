import type { Guest } from "../harness/guests.ts";
import type { MailClient } from "../harness/mail-client.ts";

export interface Watch {
  /** How many connections were tried in all, and how many of them opened. */
  stop(): Promise<{ tried: number; opened: number }>;
}

/** Tries again and again whether an address can connect, on each host without a pause. */
export function watchConnections(client: MailClient, hosts: readonly Guest[], from: string): Watch {
  const over = new AbortController();
  let tried = 0;
  let opened = 0;
  const watches = hosts.map(async ({ namespace }) => {
    while (!over.signal.aborted) {
      const isOpen = await client.connects({ host: namespace.address4, port: 143, from });
      tried += 1;
      if (isOpen) opened += 1;
    }
  });
  return {
    async stop() {
      over.abort();
      await Promise.all(watches);
      return { tried, opened };
    },
  };
}
