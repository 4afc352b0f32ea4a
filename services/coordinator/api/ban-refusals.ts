/** Why a ban is not made, or not lifted, and what to do instead. */
import { overlaps, type Address } from "../../wire/address.ts";
import { isHeld, isInForce, type Ban } from "../../wire/ban.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { nameBan, type ApiContext } from "./api-context.ts";
import { firstAfter } from "./page.ts";
import { ApiError } from "./api-server.ts";

type Never = Pick<ApiContext, "machines" | "settings">;

/** Throws an ApiError for what must never be banned, with the reason. */
export function checkBannable(context: Never, address: Address, jail: string): void {
  const why = whyNotBannable(context, address, jail);
  if (why !== undefined) throw new ApiError(409, `${address}: ${why}`);
}

/** Why the address or network must not be banned as a whole, and the remedy; undefined: it may. */
export function whyNotBannable(
  { machines, settings }: Never,
  address: Address,
  jail: string,
): string | undefined {
  const never = whyNeverRemote(address);
  if (never !== undefined) return never;
  const own = machines.find(address);
  if (own) {
    const verb = own.address === address ? "is" : `holds ${own.address},`;
    return `${verb} an address of ${own.what}, never banned`;
  }
  const allowed = settings.allowlist.find(address, jail);
  if (!allowed) return undefined;
  const { address: entry, jail: only, comment, origin } = allowed;
  const remedy =
    origin === "config"
      ? "take it off allowlist in the coordinator's configuration"
      : `fleetban allow remove ${entry}${only === undefined ? "" : ` --jail ${only}`}`;
  const where = only === undefined ? "on the allowlist" : `on the allowlist of jail ${only}`;
  return `${entry} is ${where} (${comment}); to ban it, first: ${remedy}`;
}

/** As many bans around an address are named. */
const NAMED = 5;

/** There is no ban on this very address: says so, and which bans overlap it. */
export async function describeMissing(
  { bans, now }: Pick<ApiContext, "bans" | "now">,
  address: Address,
  jail: string | undefined,
): Promise<string> {
  const isOfAddress = (ban: Ban) => ban.address === address && isHeld(ban, now());
  if ([...bans.held()].some(isOfAddress)) {
    const remedy = `fleetban ban discard ${address} drops it, ban release puts it into force`;
    return `${nameBan(address, jail)}: is not banned: a guard holds its ban; ${remedy}`;
  }
  const missing = `${nameBan(address, jail)}: is not banned`;
  const { first, total } = await firstAfter(bans.entriesAt({ address, jail }), {
    isWanted: ({ ban }) =>
      (jail === undefined || ban.jail === jail) &&
      overlaps(ban.address, address) &&
      isInForce(ban, now()),
    nameOf: ({ key }) => key,
    after: null,
    count: NAMED,
  });
  const names = [...new Set(first.map(({ row }) => row.ban.address))];
  const [only] = names;
  if (only === undefined) return missing;
  if (total === 1) return `${missing} as such, but ${only} is: fleetban ban remove ${only}`;
  const others = `${total} bans overlap it (${names.join(", ")}${total > NAMED ? ", …" : ""})`;
  const remedy = "fleetban ban remove takes one of them";
  return `${missing} as such, but ${others}: ${remedy}, fleetban ban list --address ${address} names all`;
}
