/** What must be counted in a capture: attempts by address. */
import type { Action } from "./action.ts";
import type { Configuration } from "./configurations.ts";

/** Every action has an address of its own, so that its lines are known by that. */
export function actionsOf({ actions, has }: Configuration): { action: Action; address: string }[] {
  return actions
    .filter(({ needs }) => needs === undefined || has.includes(needs))
    .map((action, index) => ({
      action,
      address: action.isIpv6 ? `fd77::1:${(index + 1).toString(16)}` : `10.77.0.${index + 31}`,
    }));
}

/** What the log lets one know of an action: all, or what the connection's end tells. */
export function attemptsOf(configuration: Configuration, action: Action): number {
  if (configuration.tells) return configuration.tells(action);
  const { isVerbose, dovecot } = configuration;
  const { refused, told = refused, told24 = told, parallel = 1 } = action;
  const end = dovecot === "2.4" ? told24 : told;
  return (isVerbose ? Math.max(refused, end) : end) * parallel;
}
