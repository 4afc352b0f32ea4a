/** Addresses of this machine and of servers: a ban on them would cut a program off from its fleet. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { parseAddress, type Address } from "../wire/address.ts";

/** Addresses of this machine, without loopback. */
export function ownAddresses(): Address[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .flatMap(({ address }) => parseAddress(address) ?? []);
}

/**
 * Addresses of "nats.example.org:4222", of "[2001:db8::1]:4222" or of a whole URL; none where the
 * name cannot be looked up now.
 */
export async function addressesOfServer(server: string): Promise<Address[]> {
  const host = hostOf(server.trim());
  if (isIP(host)) return [parseAddress(host) ?? []].flat();
  try {
    const found = await lookup(host, { all: true });
    return found.flatMap(({ address }) => parseAddress(address) ?? []);
  } catch {
    return []; // no name service now
  }
}

function hostOf(server: string): string {
  if (isIP(server)) return server;
  const url = server.includes("://") ? server : `nats://${server}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : server;
}
