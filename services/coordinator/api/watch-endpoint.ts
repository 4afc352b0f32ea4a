/** `fleetban watch`: what has happened since the last answer, and how far each host is. */
import { ban as banSchema } from "../../wire/ban.ts";
import { watchedFailure, type WatchedHost } from "../../wire/api.ts";
import { FIRST } from "../../wire/reach.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { firstRows, ROWS_BYTES } from "./page.ts";

export function watchEndpoint(context: ApiContext): Pick<Endpoints, "watch.show"> {
  const { hosts, bans, feed, now } = context;

  const watchedHosts = (): WatchedHost[] =>
    hosts.list().map((host) => {
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
    });

  return {
    "watch.show"({ after }) {
      const news = feed.after(after);
      const all = watchedHosts();
      // Those that are worst come first: the list is cut.
      const worst = all.toSorted(
        (a, b) => Number(a.isUp) - Number(b.isUp) || b.behind - a.behind || b.lagBytes - a.lagBytes,
      );
      const half = { bytes: ROWS_BYTES / 2 };
      return {
        failures: firstRows(news.failures.toReversed(), watchedFailure, half).reverse(),
        attempts: news.attempts,
        bans: firstRows(news.bans.toReversed(), banSchema, half).reverse(),
        banCount: news.banCount,
        hosts: worst.slice(0, FIRST),
        hostCount: all.length,
        places: news.places,
      };
    },
  };
}
