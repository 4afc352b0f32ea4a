/** Addresses that no connection from another machine comes from: a ban on them is a mistake. */
import { contains, overlaps, parseNetwork, type Address } from "./address.ts";

const NO_MACHINE = "stands for no machine: no connection comes from it";
const MULTICAST = "is multicast: no connection comes from it";

/** https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry */
const NEVER_REMOTE: readonly { network: Address; reason: string }[] = Object.entries({
  "127.0.0.0/8": "is loopback, which is never banned",
  "::1": "is loopback, which is never banned",
  "0.0.0.0/8": NO_MACHINE,
  "::": NO_MACHINE,
  "224.0.0.0/4": MULTICAST,
  "ff00::/8": MULTICAST,
  "255.255.255.255": "is the broadcast address: no connection comes from it",
}).flatMap(([text, reason]) => {
  const network = parseNetwork(text);
  return network === undefined ? [] : [{ network, reason }];
});

/** Why a ban on the address or network would be a mistake; undefined: it would not. */
export function whyNeverRemote(address: Address): string | undefined {
  const found = NEVER_REMOTE.find(({ network }) => overlaps(network, address));
  if (found === undefined) return undefined;
  const { network, reason } = found;
  return contains(network, address) ? reason : `holds ${network}, which ${reason}`;
}
