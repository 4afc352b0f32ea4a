/** How many attempts and bans there were over time. */
import { staleRecord } from "../history/stale-answers.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { fromRecord } from "./from-record.ts";

export function seriesEndpoint(context: ApiContext): Pick<Endpoints, "series.show"> {
  const { history, now } = context;
  return {
    async "series.show"({ until = now(), ...query }) {
      if (query.jail !== undefined) jailNamed(context, query.jail);
      const series = await fromRecord(() => history.series({ ...query, until }));
      return { ...series, stale: staleRecord(context) };
    },
  };
}
