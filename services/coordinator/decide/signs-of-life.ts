/**
 * The leader's signs of life in the settings bucket, which every agent follows anyway. An agent
 * that misses them knows that nobody decides, also where NATS is up, and counts for itself.
 *
 * A sign also says up to where failures are decided, so that such an agent can end a ban that it
 * has given alone and that the fleet does not give.
 */
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import { encodeSignOfLife } from "../../wire/settings.ts";
import { LEADER_KEY } from "../../wire/subjects.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { Decider } from "./decider.ts";
import type { FailureFeed } from "./failure-feed.ts";

export interface SignsOfLifeOptions {
  /** Names this coordinator. */
  id: string;
  settings: Pick<Settings, "write">;
  bans: Pick<BanStore, "revision" | "created">;
  feed: Pick<FailureFeed, "takenUpTo">;
  counters: Pick<Decider["counters"], "due">;
  isLeader: () => boolean;
  log: Log;
}

/** Returns what gives one sign, if this coordinator decides. */
export function createSignsOfLife(options: SignsOfLifeOptions): () => Promise<void> {
  const { id, settings, bans, feed, counters, isLeader, log } = options;
  const complaint = createComplaint((reason) => {
    log.warn({ reason }, "sign of life is not stored, agents may ban on their own");
  });
  /** Where no ban is due, everything that was taken is decided. */
  const decided = () => (counters.due() === 0 ? (feed.takenUpTo() ?? null) : null);

  return async () => {
    const bansCreated = bans.created();
    if (!isLeader() || bansCreated === null) return;
    const sign = { v: 1, id, failures: decided(), bans: bans.revision(), bansCreated } as const;
    try {
      await settings.write(LEADER_KEY, encodeSignOfLife(sign), () => false);
      complaint.over();
    } catch (error) {
      complaint.failed(reasonOf(error));
    }
  };
}
