/**
 * The newest failures and changes of bans, for `fleetban watch` and the web page. Without the page it
 * keeps them only while somebody watches. It never keeps more than a screen shows: of 10,000 failures a second it counts all, and shows
 * the last ones.
 *
 * Places are numbers of NATS (a sequence, a revision), so that any coordinator can go on where
 * another one has answered.
 */
import type { Ban } from "../../wire/ban.ts";
import type { WatchedFailure } from "../../wire/api.ts";
import type { FailureWatcher } from "./failure-watch.ts";

export interface LiveFeed extends FailureWatcher {
  noteBan(ban: Ban, revision: number): void;
  /**
   * What came after these places, undefined: from now on. From here on it is kept for those who go on
   * watching.
   */
  after(places: FeedPlaces | undefined): FeedNews;
}

export interface FeedPlaces {
  failures: number;
  bans: number;
}

export interface FeedNews {
  failures: WatchedFailure[];
  /** Of how many attempts the failures above are the last; those that are kept no more included. */
  attempts: number;
  bans: Ban[];
  banCount: number;
  places: FeedPlaces;
}

/** If nobody has asked for this long, nobody watches. */
const WATCHED_FOR_MS = 15_000;
const KEPT_FAILURES = 100;
const KEPT_BANS = 100;
/** Places of messages of which only the number of attempts is kept. */
const KEPT_COUNTS = 32_768;

interface Count {
  sequence: number;
  attempts: number;
}

export interface LiveFeedOptions {
  /**
   * Is the news kept also while nobody watches? Pages of the web come back after a while, or from
   * another coordinator, and nothing may be missing.
   */
  isAlwaysKept: boolean;
  now: () => number;
}

export function createLiveFeed({ isAlwaysKept, now }: LiveFeedOptions): LiveFeed {
  let watchedUntil = -Infinity;
  let failures: { shown: WatchedFailure; sequence: number }[] = [];
  let counts: Count[] = [];
  let bans: { ban: Ban; revision: number }[] = [];

  const isWatching = () => isAlwaysKept || now() < watchedUntil;

  /** Cuts a list that has grown to twice its length: each entry is moved once at most. */
  const cut = <T>(list: T[], most: number): T[] =>
    list.length < 2 * most ? list : list.slice(-most);

  return {
    isWatching,
    note({ host, jail, failure, sequence }) {
      const { at, address, attempts, user = null, service = null } = failure;
      const shown = { at, host, jail, address, attempts, user, service };
      failures.push({ shown, sequence });
      failures = cut(failures, KEPT_FAILURES);
      const last = counts.at(-1);
      if (last?.sequence === sequence) last.attempts += attempts;
      else counts.push({ sequence, attempts });
      counts = cut(counts, KEPT_COUNTS);
    },
    noteBan(ban, revision) {
      if (!isWatching()) return;
      bans.push({ ban, revision });
      bans = cut(bans, KEPT_BANS);
    },
    after(given) {
      if (!isWatching()) [failures, counts, bans] = [[], [], []];
      watchedUntil = now() + WATCHED_FOR_MS;
      const last = {
        failures: counts.at(-1)?.sequence ?? 0,
        bans: bans.at(-1)?.revision ?? 0,
      };
      const places = given ?? last;
      const newFailures = failures.filter(({ sequence }) => sequence > places.failures);
      const newCounts = counts.filter(({ sequence }) => sequence > places.failures);
      const newBans = bans.filter(({ revision }) => revision > places.bans);
      return {
        failures: newFailures.slice(-KEPT_FAILURES).map(({ shown }) => shown),
        attempts: newCounts.reduce((sum, { attempts }) => sum + attempts, 0),
        bans: newBans.slice(-KEPT_BANS).map(({ ban }) => ban),
        banCount: newBans.length,
        places: {
          failures: Math.max(places.failures, last.failures),
          bans: Math.max(places.bans, last.bans),
        },
      };
    },
  };
}
