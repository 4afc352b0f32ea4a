/** What goes on in the fleet: failures and bans of the last hour. */
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";

export function rateEndpoint(context: ApiContext): Pick<Endpoints, "rate.show"> {
  const { rates, failuresKnownSince } = context;
  return {
    "rate.show": () => ({ ...rates.lastHour(), knownSince: failuresKnownSince }),
  };
}
