/** Asks the name service for all addresses of a host name, and for how long they are good. */
import { lookup, Resolver } from "node:dns/promises";
import { parseAddress } from "../../wire/address.ts";
import type { Resolved } from "./allowed-names.ts";

const WITHIN_MS = 3_000;
/** For names that the machine knows without a name server: nobody says for how long. */
const LOCAL_TTL_S = 60;

/** Throws the last error where the name has no address, or nobody answers. */
export async function resolveName(name: string): Promise<Resolved> {
  const resolver = new Resolver({ timeout: WITHIN_MS, tries: 2 });
  const answers = await Promise.allSettled([
    resolver.resolve4(name, { ttl: true }),
    resolver.resolve6(name, { ttl: true }),
  ]);
  const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  // One family that nobody answers for now must not take its addresses off the allowlist.
  const isPartial = answers.some(
    (answer) => answer.status === "rejected" && !isNoAddress(answer.reason),
  );
  if (found.length === 0 || isPartial) {
    const local = await lookup(name, { all: true });
    const addresses = local.flatMap(({ address }) => parseAddress(address) ?? []);
    return { addresses: [...new Set(addresses)], ttl: LOCAL_TTL_S };
  }
  const addresses = new Set(found.flatMap(({ address }) => parseAddress(address) ?? []));
  return { addresses: [...addresses], ttl: Math.min(...found.map(({ ttl }) => ttl)) };
}

/** The name server has answered: there is no address of this family. */
function isNoAddress(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENODATA" || code === "ENOTFOUND";
}
