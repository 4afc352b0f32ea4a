/**
 * Bans of a jail with `quorum: local-first`: failures of fewer than minhosts hosts bring a ban that
 * is in force on these hosts alone. Each failure that another host reports while the ban is in
 * force adds that host; with minhosts of them the ban is in force everywhere.
 */
import { countedUntil, isInForce, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import type { Attempts, Offence } from "./sliding-window.ts";

type Quorum = Pick<Jail, "quorum" | "minhosts">;

export const bansLocallyFirst = ({ quorum }: Quorum): boolean => quorum === "local-first";

/**
 * The hosts that the ban of `offence` is for; undefined: it is for every host. `present` is a ban
 * in force that it extends.
 */
export function hostsOfBan(
  present: Ban | undefined,
  { quorum, minhosts = 2 }: Quorum,
  offence: Pick<Offence, "hosts">,
): string[] | undefined {
  if (quorum !== "local-first" || (present && !present.hosts)) return undefined;
  const hosts = new Set([...(present?.hosts ?? []), ...offence.hosts.keys()]);
  return hosts.size >= minhosts ? undefined : [...hosts];
}

/** The failure of another host that confirms a ban in force on some hosts; undefined: it does not. */
export function confirmingOffence(
  present: Ban | undefined,
  host: string,
  { at, attempts }: Pick<Attempts, "at" | "attempts">,
): Offence | undefined {
  if (!present?.hosts || !isInForce(present, at) || present.hosts.includes(host)) return undefined;
  if (at <= countedUntil(present)) return undefined;
  const hosts = new Map([[host, attempts]]);
  return { address: present.address, at, since: at, hosts, rule: "confirmed" };
}

/** Is `ban` for hosts that `present`, a ban in force, is not for? */
export function widens(ban: Pick<Ban, "hosts">, { hosts }: Pick<Ban, "hosts">): boolean {
  return hosts !== undefined && (ban.hosts?.some((host) => !hosts.includes(host)) ?? true);
}

/** What each host has contributed to a ban and to what confirms it; who confirms comes last. */
export function addEvidence(before: Ban["evidence"], hosts: Offence["hosts"]): Map<string, number> {
  const all = new Map(before.map(({ host, failures }) => [host, failures]));
  for (const [host, failures] of hosts) {
    const sum = (all.get(host) ?? 0) + failures;
    all.delete(host);
    all.set(host, sum);
  }
  return all;
}
