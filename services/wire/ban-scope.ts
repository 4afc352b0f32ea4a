/** On which hosts a ban is to be in force. */
import type { Ban } from "./ban.ts";
import { createHostGroup } from "./host-pattern.ts";
import type { Jail } from "./settings.ts";

/** undefined: on every host. A ban is for the hosts of its jail, and for those that it names itself. */
export function scopeOf(
  { hosts }: Pick<Ban, "hosts">,
  jail: Pick<Jail, "hosts"> | undefined,
): ((host: string) => boolean) | undefined {
  const isInJail = jail?.hosts && createHostGroup(jail.hosts);
  if (!hosts) return isInJail;
  return (host) => hosts.includes(host) && (isInJail?.(host) ?? true);
}
