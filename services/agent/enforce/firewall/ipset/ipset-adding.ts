/** Adds bans to the sets in force in the way that costs least, and finds out which the kernel refuses. */
import { FirewallError } from "../command.ts";
import type { Refused, TimedBan } from "../firewall.ts";
import { checked } from "../names.ts";
import type { IpsetSession } from "./ipset-session.ts";
import { addLine, setOf, type Sets } from "./ipset-sets.ts";

/** Above this number of changes, one `ipset restore` is cheaper than the session. */
export const SESSION_AT_MOST = 256;
/** So few bans are asked for one by one, which also finds out which of them the kernel refuses. */
const ASKED_AT_MOST = 16;

export interface IpsetTools {
  session: IpsetSession;
  sets: Pick<Sets, "restore">;
}

/** Returns those that the kernel would not take. */
export async function addBans(bans: readonly TimedBan[], tools: IpsetTools): Promise<Refused[]> {
  return (await addTogether(bans, tools)) ? [] : addOneByOne(bans, tools);
}

/** Returns whether the kernel has taken all of them. */
async function addTogether(
  bans: readonly TimedBan[],
  { session, sets }: IpsetTools,
): Promise<boolean> {
  if (bans.length <= ASKED_AT_MOST) return false;
  const lines = bans.map((ban) => addLine(ban));
  if (bans.length <= SESSION_AT_MOST) return (await session.run([lines])).join("") === "";
  try {
    await sets.restore(lines);
    return true;
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    return false; // One line was refused, and those after it were not read.
  }
}

async function addOneByOne(bans: readonly TimedBan[], { session }: IpsetTools): Promise<Refused[]> {
  const answers = await session.run(
    bans.map((ban) => [addLine(ban), `test ${setOf(ban)} ${checked(ban.address)}`]),
  );
  return bans.flatMap(({ jail, address }, index) => {
    const said = answers[index] ?? "";
    return / is in set /.test(said) && !/NOT in set/.test(said)
      ? []
      : [{ jail, address, reason: said.replace(/^ipset v\S+: /, "") }];
  });
}
