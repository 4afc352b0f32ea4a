/** A kernel that refuses changes: a real one, and one of a firewall that has none. */
import { FirewallError, type Run } from "../../services/agent/enforce/firewall/command.ts";
import type { Firewall } from "../../services/agent/enforce/firewall/firewall.ts";
import type { Kernel } from "./firewall-suite.ts";

/**
 * While the kernel is refusing, scripts run without the right to change it, and its own answer is
 * EPERM. Questions, which have no script, are answered.
 */
export function refusableRun(run: Run, kernel: Kernel): Run {
  return (command, args, stdin) => {
    if (!kernel.isRefusing || stdin === undefined) return run(command, args, stdin);
    const unable = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    return run("setpriv", [...unable, command, ...args], stdin);
  };
}

/** The firewall, but while the kernel is refusing each change throws, and nothing is changed. */
export function refusable(firewall: Firewall, kernel: Kernel): Firewall {
  const unlessRefusing = <Args extends unknown[], T>(change: (...args: Args) => Promise<T>) => {
    return (...args: Args): Promise<T> =>
      kernel.isRefusing
        ? Promise.reject(
            new FirewallError(`nft -f -: exit 1: ${kernel.says ?? "Operation not permitted"}`),
          )
        : change(...args);
  };
  return {
    ...firewall,
    open: unlessRefusing(firewall.open.bind(firewall)),
    replace: unlessRefusing(firewall.replace.bind(firewall)),
    ban: unlessRefusing(firewall.ban.bind(firewall)),
    unban: unlessRefusing(firewall.unban.bind(firewall)),
  };
}
