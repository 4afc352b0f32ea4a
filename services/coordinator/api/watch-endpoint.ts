/** `fleetban watch`: what has happened since the last answer, and how far each host is. */
import { ban as banSchema } from "../../wire/ban.ts";
import { watchedFailure, type Reply, type WatchedHost } from "../../wire/api.ts";
import { FIRST } from "../../wire/reach.ts";
import type { FeedPlaces } from "../decide/live-feed.ts";
import type { Host } from "../hosts/hosts.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { firstRows, ROWS_BYTES } from "./page.ts";

type WatchContext = Pick<ApiContext, "hosts" | "bans" | "feed" | "now">;

export interface Watch {
  /** What came after these places; undefined: from now on. */
  news(after: FeedPlaces | undefined): Omit<Reply<"watch.show">, "hosts" | "hostCount">;
  /** The hosts that are worst, and how many there are. */
  hosts(): Pick<Reply<"watch.show">, "hosts" | "hostCount">;
}

/** For `fleetban watch`, and for the web page's feed. */
export function createWatch({ hosts, bans, feed, now }: WatchContext): Watch {
  const describe = (host: Host): WatchedHost => {
    const { status, seenAt } = host;
    const applied = status.bansCreated === bans.created() ? status.revision : 0;
    return {
      host: status.host,
      isUp: hosts.isUp(host),
      heardMsAgo: Math.max(now() - seenAt, 0),
      lagBytes: Math.min(
        status.sources.reduce((sum, { lag }) => sum + lag, 0),
        Number.MAX_SAFE_INTEGER,
      ),
      behind: Math.max(bans.revision() - applied, 0),
    };
  };

  return {
    news(after) {
      const news = feed.after(after);
      const half = { bytes: ROWS_BYTES / 2 };
      return {
        failures: firstRows(news.failures.toReversed(), watchedFailure, half).reverse(),
        attempts: news.attempts,
        bans: firstRows(news.bans.toReversed(), banSchema, half).reverse(),
        banCount: news.banCount,
        places: news.places,
      };
    },
    hosts() {
      const all = hosts.list().map(describe);
      // Those that are worst come first: the list is cut.
      const worst = all.toSorted(
        (a, b) => Number(a.isUp) - Number(b.isUp) || b.behind - a.behind || b.lagBytes - a.lagBytes,
      );
      return { hosts: worst.slice(0, FIRST), hostCount: all.length };
    },
  };
}

export function watchEndpoint(context: WatchContext): Pick<Endpoints, "watch.show"> {
  const watch = createWatch(context);
  return {
    "watch.show": ({ after }) => ({ ...watch.news(after), ...watch.hosts() }),
  };
}
