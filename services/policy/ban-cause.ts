/**
 * Which host a ban is laid at the door of.
 *
 * A ban is caused by the host that saw most of the failures behind it; of several that saw equally
 * many, by the one whose failure completed it. The failure that completes a ban may be the only
 * honest one among five, so that alone does not decide. And not every host that saw one of the
 * failures causes the ban: an attacker who goes round over ten hosts would count ten times.
 */
import type { Ban } from "../wire/ban.ts";

type Evidence = Pick<Ban, "evidence">;

/** undefined: an operator's ban, which no host has caused. */
export function causeOf({ evidence }: Evidence, completedBy?: string): string | undefined {
  const most = mostOf(evidence);
  let first: string | undefined;
  for (const { host, failures } of evidence) {
    if (failures !== most) continue;
    if (host === completedBy) return host;
    if (first === undefined || host < first) first = host;
  }
  return first;
}

/** The host that was the last to confirm a ban of the hosts `before`: its evidence stands last. */
export const confirmerOf = (
  { evidence }: Evidence,
  before: readonly string[] = [],
): string | undefined => evidence.findLast(({ host }) => !before.includes(host))?.host;

/** Has no other host seen more of the failures behind the ban? */
export function isCausedBy({ evidence }: Evidence, host: string): boolean {
  const most = mostOf(evidence);
  return evidence.some((each) => each.host === host && each.failures === most);
}

/** Has no other host seen any of the failures behind the ban? */
export function isCausedAloneBy({ evidence }: Evidence, host: string): boolean {
  return evidence.length > 0 && evidence.every((each) => each.host === host);
}

/** In a loop, because a coordinator asks this of a million bans. */
function mostOf(evidence: Ban["evidence"]): number {
  let most = 0;
  for (const { failures } of evidence) if (failures > most) most = failures;
  return most;
}
