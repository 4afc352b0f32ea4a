/**
 * What support may not do although it may ask: the table of roles (askers.ts) knows only the names of
 * requests, and these limits are about their content. Support helps one person who cannot log in, so it
 * concerns single addresses, does not last, and takes nothing away that others have decided.
 */
import { familyOf, prefixOf, type Address } from "../../wire/address.ts";
import type { Endpoint, Request } from "../../wire/api.ts";
import type { ApiContext } from "./api-context.ts";

/** A customer has one IPv4 address, or an IPv6 network of this length. */
const SINGLE = { 4: 32, 6: 64 } as const;
const LONGEST_DAYS = 7;

type Limits = {
  /** Returns why support may not ask that; undefined: it may. */
  [E in Endpoint]?: (request: Request<E>) => string | undefined;
};

export type WhyNotSupport = (endpoint: Endpoint, request: unknown) => string | undefined;

export function createSupportLimits({
  settings,
  now,
}: Pick<ApiContext, "settings" | "now">): WhyNotSupport {
  const limits: Limits = {
    "ban.remove": ({ address }) => whyNotSingle(address),

    "allow.add"({ address, jail, seconds }) {
      const tooWide = whyNotSingle(address);
      if (tooWide !== undefined) return tooWide;
      if (seconds === undefined || seconds > LONGEST_DAYS * 86_400) {
        return `support may allow an address for at most ${LONGEST_DAYS} days`;
      }
      const present = settings.allowlist.get({ address, ...(jail !== undefined && { jail }) });
      const end = now() + seconds * 1000;
      if (!present || (present.until !== undefined && present.until <= end)) return undefined;
      return `${address}: is on the allowlist for longer already`;
    },
  };
  return (endpoint, request) => {
    // Per endpoint these belong together; over all of them TypeScript cannot tell.
    const limit = limits[endpoint] as ((request: unknown) => string | undefined) | undefined;
    return limit?.(request);
  };
}

function whyNotSingle(address: Address): string | undefined {
  const family = familyOf(address);
  if (prefixOf(address) >= SINGLE[family]) return undefined;
  const single = family === 4 ? "one address" : `a network of /${SINGLE[6]} or narrower`;
  return `${address}: support may lift and allow ${single}, not more`;
}
