/** Puts the bans that fail2ban has into force in the fleet, each for the time that is left of it. */
import { EXIT, PlainError } from "../../process/exit.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { Context } from "../context.ts";
import { count } from "../status.ts";
import type { Fail2banBan } from "./fail2ban-bans.ts";
import type { ImportedJail } from "./fail2ban-jails.ts";

/** Requests that wait for the coordinator at a time. */
const AT_ONCE = 16;
/** At most this many reasons are shown; the others are counted. */
const SHOWN_REFUSALS = 20;

/** Throws if the coordinator cannot be asked. A ban that it rejects is printed, and the others go on. */
export async function carryBans(
  { ask, output }: Pick<Context, "ask" | "output">,
  bans: readonly Fail2banBan[],
  jails: readonly ImportedJail[],
): Promise<void> {
  const names = new Map(jails.map(({ origin, name }) => [origin, name]));
  const { jails: known } = await ask("status.show", {});
  const hasJail = (name: string) => known.some((jail) => jail.name === name);
  const refusals: string[] = [];
  const wanted = bans.flatMap((ban) => {
    const jail = names.get(ban.jail) ?? ban.jail;
    if (hasJail(jail)) return [{ ...ban, jail }];
    refusals.push(`${ban.address}: the coordinator has no jail ${jail}`);
    return [];
  });

  let done = 0;
  await sideBySide(wanted, AT_ONCE, async ({ address, jail, seconds }) => {
    const length = seconds === undefined ? {} : { seconds };
    const request = { address, jail, reason: "banned by fail2ban", replace: false, wait: null };
    try {
      await ask("ban.add", { ...request, ...length });
      done += 1;
    } catch (error) {
      const isRefusal = error instanceof PlainError && error.exitCode === EXIT.refused;
      if (!isRefusal) throw error;
      refusals.push(`${address}: ${error.message}`);
    }
  });

  for (const refusal of refusals.slice(0, SHOWN_REFUSALS)) output.note(`not banned: ${refusal}`);
  const more = refusals.length - SHOWN_REFUSALS;
  if (more > 0) output.note(`not banned: ${more} more`);
  output.note(`${done} of ${count(bans.length, "ban")} of fail2ban are in force in the fleet`);
}
