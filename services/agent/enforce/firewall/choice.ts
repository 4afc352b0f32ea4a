/** Which of the configured back ends is used: the first that can be. */
import { EXIT, PlainError } from "../../../process/exit.ts";
import { whyForbidden, whyUnusable } from "./firewall-check.ts";
import type { Run } from "./command.ts";
import type { FirewallKind } from "./firewall.ts";

export interface Choice {
  kind: FirewallKind;
  /** Why those before it are not used. */
  passedOver: string[];
}

/** Throws a PlainError where none can be used, before anything is touched. */
export async function chooseBackEnd(
  kinds: readonly FirewallKind[],
  chains: readonly string[],
  run?: Run,
): Promise<Choice> {
  const forbidden = kinds[0] === "dry-run" ? undefined : await whyForbidden();
  if (forbidden !== undefined) throw new PlainError(`firewall: ${forbidden}`, EXIT.permission);
  const passedOver: string[] = [];
  for (const kind of kinds) {
    const reason = await whyUnusable(kind, chains, run);
    if (reason === undefined) return { kind, passedOver };
    passedOver.push(reason);
  }
  throw new PlainError(
    passedOver.map((reason) => `firewall: ${reason}`).join("\n"),
    EXIT.unavailable,
  );
}
