/** Bans that keep an address out: its own, and those of the networks around it. */
import { networksAround, type Address } from "../../wire/address.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";
import type { ApiContext } from "./api-context.ts";

/** Looks every network up by its name, because a million bans take long to read through. */
export function bansAround(
  {
    bans,
    jails,
    now,
  }: Pick<ApiContext, "jails" | "now"> & { bans: Pick<ApiContext["bans"], "get"> },
  address: Address,
): Ban[] {
  const around = [...networksAround(address), address].reverse();
  return jails().flatMap(({ name }) =>
    around
      .flatMap((network) => bans.get(name, network) ?? [])
      .filter((ban) => isInForce(ban, now())),
  );
}
