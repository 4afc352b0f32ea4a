/** Every Dovecot that is captured, and the same with clients by chance. */
import { ACTIONS } from "./actions.ts";
import type { Configuration } from "./configuration.ts";
import { CONFIGURATIONS_23 } from "./configurations-23.ts";
import { CONFIGURATIONS_24 } from "./configurations-24.ts";
import { randomActions } from "./random-actions.ts";

const CONFIGURATIONS: readonly Configuration[] = [...CONFIGURATIONS_23, ...CONFIGURATIONS_24];

export interface Chance {
  seed: number;
  /** Clients' addresses. */
  addresses: number;
}

export function configurations(chance: Chance | undefined): readonly Configuration[] {
  if (!chance) return CONFIGURATIONS;
  // Where the usual actions have their own meaning, random ones have none.
  return CONFIGURATIONS.filter(
    ({ actions, tells, isSilentOfUnknown }) => actions === ACTIONS && !tells && !isSilentOfUnknown,
  ).map((configuration) => ({
    ...configuration,
    actions: randomActions(chance.seed, chance.addresses, configuration.has),
  }));
}
