/** Puts the bans that fail2ban has into force in the fleet, each for the time that is left of it. */
import type { Context } from "../context.ts";
import { noteRefused, partsOf, sendParts, sumOf } from "../lists/send-list.ts";
import { count } from "../../config/count.ts";
import type { Fail2banBan } from "./fail2ban-bans.ts";
import type { ImportedJail } from "./fail2ban-jails.ts";

/** Rows of one request. */
const ROWS = 500;

/** Throws if the coordinator cannot be asked. A ban that it rejects is printed, and the others go on. */
export async function carryBans(
  context: Pick<Context, "ask" | "output" | "now">,
  bans: readonly Fail2banBan[],
  jails: readonly ImportedJail[],
): Promise<void> {
  const { ask, output } = context;
  const names = new Map(jails.map(({ origin, name }) => [origin, name]));
  const { jails: known } = await ask("status.show", {});
  const byJail = groupByJail(bans, names);
  const common = { reason: "banned by fail2ban", replace: false, dryRun: false, wait: null };
  const missing: { address: Fail2banBan["address"]; reason: string }[] = [];
  const parts = [...byJail].flatMap(([jail, group]) => {
    if (known.some(({ name }) => name === jail)) {
      const rows = group.map(({ address, seconds }) => {
        return { address, ...(seconds !== undefined && { seconds }) };
      });
      return partsOf(rows, ROWS).map((part) => ({ ...common, jail, rows: part }));
    }
    const reason = `the coordinator has no jail ${jail}`;
    missing.push(...group.map(({ address }) => ({ address, reason })));
    return [];
  });
  const replies = await sendParts(context, parts, (part) => ask("ban.import", part));
  const unknown = { added: 0, kept: 0, refused: missing, refusedCount: missing.length };
  const sum = sumOf([unknown, ...replies]);
  noteRefused(context, sum);
  const inForce = sum.added + sum.kept;
  output.note(`${inForce} of ${count(bans.length, "ban")} of fail2ban are in force in the fleet`);
}

function groupByJail(
  bans: readonly Fail2banBan[],
  names: ReadonlyMap<string, string>,
): Map<string, Fail2banBan[]> {
  const byJail = new Map<string, Fail2banBan[]>();
  for (const ban of bans) {
    const jail = names.get(ban.jail) ?? ban.jail;
    const group = byJail.get(jail);
    if (group) group.push(ban);
    else byJail.set(jail, [ban]);
  }
  return byJail;
}
