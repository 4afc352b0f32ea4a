/** News as lines of the live feed: the newest first, and how many more there were. */
import type { News } from "../api/messages.ts";

type Failure = News["failures"][number];
type Change = News["bans"][number];

export type FeedItem =
  | { kind: "failure"; key: string; at: string; failure: Failure }
  | { kind: "ban"; key: string; at: string; ban: Change }
  /** Events that are not shown, because there are too many to read. */
  | { kind: "more"; key: string; at: string; events: number };

/** More events than this in a second cannot be read; the server sends news twice a second. */
const MOST_PER_NEWS = 10;

export function itemsOf({ failures, attempts, bans, banCount, places }: News): FeedItem[] {
  const key = `${places.failures}-${places.bans}`;
  // Bans matter more than what led to them.
  const shownBans = bans.slice(-MOST_PER_NEWS);
  const room = MOST_PER_NEWS - shownBans.length;
  const shownFailures = room === 0 ? [] : failures.slice(-room);
  const items: FeedItem[] = [
    ...shownFailures.map((failure, index): FeedItem => {
      return { kind: "failure", key: `${key}-f${index}`, at: failure.at, failure };
    }),
    ...shownBans.map((ban, index): FeedItem => {
      return { kind: "ban", key: `${key}-b${index}`, at: ban.changedAt, ban };
    }),
  ].sort((a, b) => (a.at < b.at ? 1 : -1));
  const shownAttempts = shownFailures.reduce((sum, failure) => sum + failure.attempts, 0);
  const events = attempts - shownAttempts + (banCount - shownBans.length);
  const last = items.at(-1);
  if (events > 0 && last) items.push({ kind: "more", key: `${key}-m`, at: last.at, events });
  return items;
}

/** The newest items, at most `most`. */
export const addItems = (
  before: readonly FeedItem[],
  added: readonly FeedItem[],
  most: number,
): FeedItem[] => [...added, ...before].slice(0, most);
