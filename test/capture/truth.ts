/** What must be counted in a capture: attempts by address. */
import type { Action } from "./action.ts";
import type { Configuration } from "./configuration.ts";

/** Every action, or group of them, has an address of its own, so that its lines are known by that. */
export function actionsOf({ actions, has }: Configuration): { action: Action; address: string }[] {
  const numbers = new Map<unknown, number>();
  return actions
    .filter(({ needs }) => needs === undefined || has.includes(needs))
    .map((action) => {
      const owner = action.group ?? action;
      const number = numbers.get(owner) ?? numbers.size + 31;
      numbers.set(owner, number);
      const [high, low] = [number >> 8, number & 255];
      const address = action.isIpv6 ? `fd77::1:${number.toString(16)}` : `10.77.${high}.${low}`;
      return { action, address };
    });
}

/** What the log lets one know of an action: all, or what the connection's end says. */
function attemptsOf(configuration: Configuration, action: Action): number {
  if (configuration.tells) return configuration.tells(action);
  const { isVerbose, isComplete, isSilentOfUnknown, dovecot } = configuration;
  const { refused, told = refused, told24 = told, parallel = 1 } = action;
  if (isComplete && !isSilentOfUnknown) return refused * parallel;
  const end = dovecot === "2.4" ? told24 : told;
  return (isVerbose ? Math.max(refused, end) : end) * parallel;
}

/** `fewest`: where Dovecot itself takes more for attempts than passwords were refused. */
export type Truth = [address: string, attempts: number, what: string, fewest?: number];

export function truthOf(configuration: Configuration): Truth[] {
  const rows = new Map<string, Truth>();
  for (const { action, address } of actionsOf(configuration)) {
    const row = rows.get(address);
    const attempts = attemptsOf(configuration, action);
    if (action.group === undefined) {
      const least = action.refused * (action.parallel ?? 1);
      const isUnsure = configuration.isSilentOfUnknown && attempts > least;
      rows.set(address, [address, attempts, action.what, ...(isUnsure ? [least] : [])] as Truth);
      continue;
    }
    const [, before = 0, what = "", fewest = 0] = row ?? [];
    const all = what === "" ? action.what : `${what}; ${action.what}`;
    const least = fewest + Math.min(attempts, action.refused);
    rows.set(address, [address, before + attempts, all, least]);
  }
  return [...rows.values()];
}

/** The same for the server behind a proxy, which sees only what the proxy passes on. */
export function truthBehind(configuration: Configuration): Truth[] {
  return truthOf({
    ...configuration,
    tells: ({ refused, refusedByProxy = 0, parallel = 1 }) => (refused - refusedByProxy) * parallel,
  });
}
