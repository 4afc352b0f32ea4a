/**
 * A jail that counts bans in place of failures, as fail2ban's recidive does: an address that was
 * banned maxretry times within findtime, in whatever jails, is banned by this jail, too.
 *
 * The bans themselves remember when the bans before them began, so there is no state here:
 * whoever reads the same entries comes to the same offence.
 */
import type { Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import { startsOf } from "./ban-memory.ts";
import type { Offence } from "./sliding-window.ts";

/**
 * `bans` are the entries of one address in the jails that are counted. Returns the last offence of
 * bans that began after `countedUntil`; undefined: there is none.
 */
export function findRepeatedBans(
  bans: readonly Ban[],
  { maxretry, findtime }: Pick<Jail, "maxretry" | "findtime">,
  countedUntil: number,
): Offence | undefined {
  const starts = bans
    .flatMap((ban) => startsOf(ban).map((at) => ({ at, jail: ban.jail })))
    .filter(({ at }) => at > countedUntil)
    .sort((a, b) => a.at - b.at);
  for (let end = starts.length - 1; end >= maxretry - 1; end -= 1) {
    const counted = starts.slice(end - maxretry + 1, end + 1);
    const [first, last] = [counted[0], counted.at(-1)];
    const [ban] = bans;
    if (!first || !last || !ban || last.at - first.at >= findtime * 1000) continue;
    return {
      ...{ address: ban.address, at: last.at, since: first.at, hosts: hostsOf(bans) },
      bans: countByJail(counted),
    };
  }
  return undefined;
}

function countByJail(starts: readonly { jail: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { jail } of starts) counts.set(jail, (counts.get(jail) ?? 0) + 1);
  return counts;
}

/** The hosts whose failures brought the last ban of each jail. */
function hostsOf(bans: readonly Ban[]): Map<string, number> {
  const hosts = new Map<string, number>();
  for (const { host, failures } of bans.flatMap(({ evidence }) => evidence)) {
    hosts.set(host, (hosts.get(host) ?? 0) + failures);
  }
  return hosts;
}
