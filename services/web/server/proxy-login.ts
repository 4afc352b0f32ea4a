/**
 * A proxy in front of the page has logged people in, and names them in a header. The header counts only
 * in connections from the proxy's addresses: everybody else could write it, too.
 */
import type { IncomingMessage } from "node:http";
import { contains, parseAddress } from "../../wire/address.ts";
import { ASKER_NAME, roleOf } from "./role-lists.ts";
import type { Session } from "./sessions.ts";
import type { ProxyConfig } from "./web-config.ts";
import { WebError } from "./web-error.ts";

/** The proxy is asked again after this time, in the middle of a feed. */
const VOUCHED_MS = 3_600_000;

/** undefined: the proxy names nobody, or the request has not come from it. Throws a WebError. */
export function identifyByProxy(
  { addresses, header, roles }: ProxyConfig,
  { socket, headers }: IncomingMessage,
  now: number,
): Session | undefined {
  const from = parseAddress(socket.remoteAddress ?? "");
  const name = headers[header.toLowerCase()];
  if (from === undefined || name === undefined || name === "") return undefined;
  if (!addresses.some((network) => contains(network, from))) return undefined;
  if (typeof name !== "string" || !ASKER_NAME.test(name)) {
    throw new WebError(403, `${header}: expected one name of letters, digits and ._@+-`);
  }
  const role = roleOf(roles, [name]);
  if (!role)
    throw new WebError(403, `${name} has no role: see web.proxy.roles of coordinator.yaml`);
  return { hash: undefined, name, role, expiresAt: now + VOUCHED_MS };
}
