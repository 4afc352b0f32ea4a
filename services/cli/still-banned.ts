/** Says which bans still keep an address out, after one of them was lifted. */
import type { Reply } from "../wire/api.ts";
import type { Context } from "./context.ts";

/** As many bans are named at most. */
const NAMED = 3;

export function noteStillBanned(
  { output }: Pick<Context, "output">,
  { bans, covered = [] }: Pick<Reply<"ban.remove">, "bans" | "covered">,
): void {
  const [lifted] = bans;
  if (!lifted) return;
  const { address } = lifted;
  for (const ban of covered.slice(0, NAMED)) {
    const what = ban.address === address ? "it" : ban.address;
    const remedy = `fleetban ban remove ${ban.address} --jail ${ban.jail}`;
    output.note(
      `${address} stays banned: ${what} is banned in ${ban.jail}, too; ${remedy} lifts that`,
    );
  }
  const more = covered.length - NAMED;
  if (more > 0) output.note(`and by ${more} more: fleetban ban list --address ${address}`);
}
