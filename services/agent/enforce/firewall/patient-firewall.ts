/**
 * A firewall that may not be open yet: at a boot the kernel's module may not be loaded, or another
 * program may hold the lock of iptables. Until it is open, every call but `open` and `close` is
 * refused as the firewall would refuse it, and `open` may be tried again.
 */
import { FirewallError } from "./command.ts";
import type { Firewall, FirewallJail, FirewallKind } from "./firewall.ts";

/** `open` brings the back end into force, or throws a FirewallError. */
export function createPatientFirewall(
  kind: FirewallKind,
  open: (jails: readonly FirewallJail[]) => Promise<Firewall>,
): Firewall {
  let opened: Firewall | undefined;

  /** Rejects while the firewall is not open. */
  const whenOpen = <Args extends unknown[], T>(
    call: (firewall: Firewall, ...args: Args) => Promise<T>,
  ) => {
    return (...args: Args): Promise<T> =>
      opened
        ? call(opened, ...args)
        : Promise.reject(new FirewallError(`${kind}: fleetban's rules are not there yet`));
  };

  return {
    kind,
    async open(jails) {
      if (opened) await opened.open(jails);
      else opened = await open(jails);
    },
    replace: whenOpen((firewall, bans) => firewall.replace(bans)),
    ban: whenOpen((firewall, bans) => firewall.ban(bans)),
    unban: whenOpen((firewall, bans) => firewall.unban(bans)),
    list: whenOpen((firewall) => firewall.list()),
    count: whenOpen((firewall) => firewall.count()),
    repair: whenOpen((firewall) => firewall.repair()),
    close: async () => opened?.close(),
  };
}
