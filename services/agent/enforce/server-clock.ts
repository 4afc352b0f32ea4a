/** The time by NATS's clock: the bans of the fleet end by it, whatever the clock of this host says. */
import { BY_THIS_HOST, type HostBan } from "./ban-filter.ts";

export interface ServerClock {
  /** NATS has stored an entry just now, at this time by its own clock. */
  note(writtenAt: number | undefined): void;
  /** Now, by the clock that the end of this ban goes by: a ban of this host's own has the host's. */
  nowFor(ban: HostBan): number;
}

/** A smaller difference to the server's clock is the network's delay. */
const SLACK_MS = 1_000;

/** `now`: the clock of this host. */
export function createServerClock(now: () => number): ServerClock {
  let aheadMs = 0;
  return {
    note(writtenAt) {
      if (writtenAt === undefined) return;
      const ahead = writtenAt - now();
      aheadMs = Math.abs(ahead) > SLACK_MS ? ahead : 0;
    },
    nowFor: ({ by }) => (by === BY_THIS_HOST ? now() : now() + aheadMs),
  };
}
