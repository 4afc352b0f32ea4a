/** Which bans a list or a command is for, by what they are. */
import { createContains } from "../../wire/address.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { makersOf, type BanFilter } from "../../wire/ban-selection.ts";

/** Tells of each ban whether everything holds of it that the filter names. */
export function createBanFilter(filter: BanFilter, now: number): (ban: Ban) => boolean {
  const { within, by, policyVersion, since, until, endingWithin } = filter;
  // A million bans may be asked about, so this is done once.
  const makers = by === undefined ? [] : makersOf(by);
  const isWithin = within === undefined ? undefined : createContains(within);
  const words = filter.reason?.toLowerCase();
  return (ban) =>
    (since === undefined || ban.changedAt >= since) &&
    (until === undefined || ban.changedAt <= until) &&
    (by === undefined || makers.includes(ban.by)) &&
    (policyVersion === undefined || ban.policyVersion === policyVersion) &&
    (endingWithin === undefined || endsWithin(ban, endingWithin, now)) &&
    (words === undefined || ban.reason.toLowerCase().includes(words)) &&
    (isWithin === undefined || isWithin(ban.address));
}

const endsWithin = (ban: Ban, seconds: number, now: number): boolean =>
  isInForce(ban, now) && ban.until !== null && ban.until <= now + seconds * 1000;
