/** Which bans a list or a command is for, by what they are. */
import { contains } from "../../wire/address.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import { makersOf, type BanFilter } from "../../wire/ban-selection.ts";

/** Does everything that the filter names hold of the ban? */
export function passesFilter(ban: Ban, filter: BanFilter, now: number): boolean {
  const { within, by, policyVersion, reason, since, until, endingWithin } = filter;
  return (
    (since === undefined || ban.changedAt >= since) &&
    (until === undefined || ban.changedAt <= until) &&
    (within === undefined || contains(within, ban.address)) &&
    (by === undefined || makersOf(by).includes(ban.by)) &&
    (policyVersion === undefined || ban.policyVersion === policyVersion) &&
    (reason === undefined || ban.reason.toLowerCase().includes(reason.toLowerCase())) &&
    (endingWithin === undefined || endsWithin(ban, endingWithin, now))
  );
}

const endsWithin = (ban: Ban, seconds: number, now: number): boolean =>
  isInForce(ban, now) && ban.until !== null && ban.until <= now + seconds * 1000;
