/** Bans that the kernel refuses among many: found by halves, for each try may take thousands. */
import { FirewallError } from "./command.ts";
import type { Refused, TimedBan } from "./firewall.ts";

/** After this many the kernel is full, and refuses the rest of them, too. */
const TRIED_ALONE = 100;

/** `add` adds some bans, all of them or, when it throws a FirewallError, some; it may be repeated. */
export async function addRefusing(
  bans: readonly TimedBan[],
  add: (some: readonly TimedBan[]) => Promise<unknown>,
): Promise<Refused[]> {
  const refused: Refused[] = [];
  async function addHalves(some: readonly TimedBan[]): Promise<void> {
    if (some.length === 0) return;
    try {
      await add(some);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      if (some.length === 1 || refused.length >= TRIED_ALONE) {
        const { message: reason } = error;
        refused.push(...some.map(({ jail, address }) => ({ jail, address, reason })));
        return;
      }
      const middle = Math.ceil(some.length / 2);
      await addHalves(some.slice(0, middle));
      await addHalves(some.slice(middle));
    }
  }
  await addHalves(bans);
  return refused;
}
