/**
 * Brings bans and allowlist into agreement, whoever changed which of them, on whichever coordinator:
 * no ban is due whose address is on the allowlist, and a ban that the allowlist has lifted comes
 * back when no entry covers it any more.
 *
 * An operator may ban an address while another puts it on the allowlist: each coordinator sees the
 * other's write a moment later. So the coordinator that decides looks at every ban and every entry
 * that it sees.
 */
import { inSlices } from "../../process/slices.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { Log } from "../../process/log.ts";
import { isDue, type Ban } from "../../wire/ban.ts";
import { banKey, placeOfAllowKey } from "../../wire/subjects.ts";
import { isSpared, settleAllowed } from "../../policy/spared-ban.ts";
import type { Allowlist } from "../../policy/allowlist.ts";
import type { BanStore } from "../buckets/ban-store.ts";

export interface AllowedBansOptions {
  bans: Pick<BanStore, "entries" | "change">;
  allowlist: Pick<Allowlist, "find">;
  now: () => number;
  newId: () => string;
  log: Log;
}

export interface AllowedBans {
  /** An entry of the settings bucket was read, or has changed. */
  noteSetting(key: string): void;
  /** A ban was seen in the bucket. */
  noteBan(ban: Ban): void;
  /** Writes what does not agree: for the coordinator that decides. */
  settle(): Promise<void>;
}

/** At most this many writes run at a time: NATS takes a new ban behind them. */
const AT_ONCE = 16;

export function createAllowedBans(options: AllowedBansOptions): AllowedBans {
  const { bans, allowlist, now, newId, log } = options;
  let isListChanged = true;
  const disagreeing = new Map<string, Ban>();

  function noteBan(ban: Ban): void {
    const isListed = allowlist.find(ban.address, ban.jail) !== undefined;
    const isWrong = isListed ? isDue(ban, now()) : isSpared(ban, now());
    if (isWrong) disagreeing.set(banKey(ban.jail, ban.address), ban);
  }

  async function settleOne(key: string, ban: Ban): Promise<void> {
    const { jail, address } = ban;
    const change = () => ({ now: now(), id: newId() });
    // Before the ban is read: while it is written, a newer one may be noted under this key.
    disagreeing.delete(key);
    const written = await bans
      .change(jail, address, (present) =>
        settleAllowed(present, allowlist.find(address, jail), change()),
      )
      .catch((error: unknown) => {
        if (!disagreeing.has(key)) disagreeing.set(key, ban);
        throw error;
      });
    if (!written) return;
    const { state } = written.ban;
    log.info({ jail, address, state }, "ban follows the allowlist");
  }

  return {
    noteSetting(key) {
      if (placeOfAllowKey(key)) isListChanged = true;
    },
    noteBan,
    async settle() {
      if (isListChanged) {
        isListChanged = false;
        await inSlices(bans.entries(), ({ ban }) => noteBan(ban));
      }
      await sideBySide([...disagreeing], AT_ONCE, ([key, ban]) => settleOne(key, ban));
    },
  };
}
