/** Which of the configured back ends is used: the first that can be. */
import { EXIT, PlainError } from "../../../process/exit.ts";
import { whyForbidden, whyUnusable, type Unusable } from "./firewall-check.ts";
import type { Run } from "./command.ts";
import type { FirewallKind } from "./firewall.ts";

export interface Choice {
  kind: FirewallKind;
  /** Why those before it are not used. */
  passedOver: string[];
  /** Why the kernel refuses this one for now; undefined: it can be used. */
  refused?: string;
}

/** Throws a PlainError where none can be used now, before anything is touched. */
export async function chooseBackEnd(
  kinds: readonly FirewallKind[],
  chains: readonly string[],
  run?: Run,
): Promise<Choice> {
  const { choice, unusable } = await lookThrough(kinds, chains, run);
  if (choice) return choice;
  const reasons = [...unusable.values()].map(({ reason }) => `firewall: ${reason}`);
  throw new PlainError(reasons.join("\n"), EXIT.unavailable);
}

/**
 * The same for a daemon, which can wait until the kernel takes a back end. Throws a PlainError only
 * where that would change nothing: there is no program, no chain, or no permission.
 */
export async function chooseBackEndPatiently(
  kinds: readonly FirewallKind[],
  chains: readonly string[],
): Promise<Choice> {
  const { choice, unusable } = await lookThrough(kinds, chains);
  if (choice) return choice;
  const passedOver: string[] = [];
  for (const [kind, { reason, isForNow }] of unusable) {
    if (isForNow) return { kind, passedOver, refused: reason };
    passedOver.push(reason);
  }
  const reasons = passedOver.map((reason) => `firewall: ${reason}`);
  throw new PlainError(reasons.join("\n"), EXIT.unavailable);
}

/** The first that can be used, and why those before it cannot. */
async function lookThrough(
  kinds: readonly FirewallKind[],
  chains: readonly string[],
  run?: Run,
): Promise<{ choice?: Choice; unusable: Map<FirewallKind, Unusable> }> {
  const forbidden = kinds[0] === "dry-run" ? undefined : await whyForbidden();
  if (forbidden !== undefined) throw new PlainError(`firewall: ${forbidden}`, EXIT.permission);
  const unusable = new Map<FirewallKind, Unusable>();
  for (const kind of kinds) {
    const why = await whyUnusable(kind, chains, run);
    if (why !== undefined) {
      unusable.set(kind, why);
      continue;
    }
    const passedOver = [...unusable.values()].map(({ reason }) => reason);
    return { choice: { kind, passedOver }, unusable };
  }
  return { unusable };
}
