/**
 * Hosts that are up, and do not put into force what the bans bucket has. A host's status that is
 * behind sets a mark: what the bucket had then, the host must have soon. So a storm of bans, in which
 * the newest one is always on its way, makes no host late.
 */
import type { HostStatus } from "../../wire/status.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { BanStore } from "../buckets/ban-store.ts";

export interface LateHosts {
  noteStatus(status: Pick<HostStatus, "host" | "bansCreated" | "revision">): void;
  /** undefined: the host has what it must have, or the time for it is not over. */
  warningOf(host: string): Warning | undefined;
}

/** What the host must have, and since when. */
interface Mark {
  created: string;
  revision: number;
  setAt: number;
}

/** A host that starts reads all bans within this time, also on a slow link. */
const PATIENCE_MS = 30_000;

export function createLateHosts({
  bans,
  now,
}: {
  bans: Pick<BanStore, "created" | "revision">;
  now: () => number;
}): LateHosts {
  const marks = new Map<string, Mark>();
  return {
    noteStatus({ host, bansCreated, revision }) {
      const created = bans.created();
      if (created === null) return;
      const has = (wanted: number) => bansCreated === created && revision >= wanted;
      const mark = marks.get(host);
      if (mark?.created === created && !has(mark.revision)) return;
      if (has(bans.revision())) marks.delete(host);
      else marks.set(host, { created, revision: bans.revision(), setAt: now() });
    },
    warningOf(host) {
      const mark = marks.get(host);
      if (!mark || now() - mark.setAt < PATIENCE_MS) return undefined;
      return warn("host-late", { since: mark.setAt });
    },
  };
}
