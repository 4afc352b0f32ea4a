/** What a jail does, in sentences: for `fleetban-coordinator check`, `ban why` and `jail show`. */
import { count } from "../config/count.ts";
import { formatDuration } from "../config/duration.ts";
import type { Jail } from "../wire/settings.ts";

/** The first sentence is the jail's count; each of the others is an option that the jail has. */
export function jailSentences(jail: Jail): string[] {
  return [
    `${describeCount(jail)} a ban ${describeTerm(jail)}, on ${describePorts(jail)}`,
    ...describeNames(jail),
    ...describeNetwork(jail),
    ...describeQuorum(jail),
    ...describeKnownGood(jail),
    ...describeReach(jail),
  ];
}

function describeCount({ source, maxretry, findtime }: Jail): string {
  const within = `within ${formatDuration(findtime)}`;
  const bring = maxretry === 1 ? "brings" : "bring";
  if (source === "bans") return `${count(maxretry, "ban")} in other jails ${within} ${bring}`;
  return `${count(maxretry, "failure")} ${within} on all hosts together ${bring}`;
}

/** For how long a ban of the jail lasts. */
export function describeTerm({ bantime, increment }: Jail): string {
  const term = bantime === null ? "for ever" : `for ${formatDuration(bantime)}`;
  if (!increment) return term;
  const { maxtime } = increment;
  return `${term}, longer each time${maxtime === undefined ? "" : ` up to ${formatDuration(maxtime)}`}`;
}

export function describePorts({ ports, protocol }: Jail): string {
  const closed = ports.length === 0 ? "all ports" : `ports ${ports.join(", ")}`;
  return protocol === undefined ? closed : `${closed} (${protocol})`;
}

function describeNames({ users, domains, decoys = [] }: Jail): string[] {
  const earlier = (what: string) => `an address that tries ${what} is banned before maxretry`;
  return [
    ...(users === undefined ? [] : [earlier(`${users} user names`)]),
    ...(domains === undefined
      ? []
      : [earlier(`user names of ${domains} mail domains that are not related`)]),
    ...(decoys.length === 0
      ? []
      : [`an address that tries ${describeDecoys(decoys.length)} is banned at once`]),
  ];
}

const describeDecoys = (decoys: number): string =>
  decoys === 1 ? "the decoy name" : `one of ${decoys} decoy names`;

function describeNetwork({ network }: Jail): string[] {
  if (!network) return [];
  const { addresses, findtime, prefix4, prefix6 } = network;
  const banned = `${addresses} addresses are banned within ${formatDuration(findtime)}`;
  return [`a network (/${prefix4}, IPv6 /${prefix6}) of which ${banned} is banned as a whole`];
}

function describeQuorum({ minhosts, quorum }: Jail): string[] {
  if (minhosts === undefined) return [];
  if (quorum === "local-first") {
    return [
      `a ban is in force only where failures were seen, until ${minhosts} hosts have seen some`,
    ];
  }
  return [`nobody is banned before ${minhosts} hosts have seen failures`];
}

function describeKnownGood({ knownGood, maxretry }: Jail): string[] {
  if (!knownGood) return [];
  const { factor, within } = knownGood;
  const needed = count(Math.ceil(maxretry * factor), "failure");
  const known = `an address with a login within ${formatDuration(within)} is known good`;
  return [`${known}, and is banned after ${needed} (${factor} times as many as others)`];
}

function describeReach({ hosts, shadow }: Jail): string[] {
  return [
    ...(hosts ? [`only failures of the hosts ${hosts.join(", ")} count, and bans hold there`] : []),
    ...(shadow ? ["shadow mode: bans are shown and recorded, and never in force"] : []),
  ];
}
