/** Whether what a host reports says nothing of those who are refused there. */
import type { HostStatus } from "../../wire/status.ts";
import type { WarningCode } from "../../wire/warnings.ts";

const BROKEN: WarningCode = "logins-broken";

/** Why no ban that the host causes is to be in force now; undefined: it may be. */
export function whyDistrusted(status: HostStatus | undefined): string | undefined {
  const warning = status?.warnings.find(({ code }) => code === BROKEN);
  if (!status || !warning) return undefined;
  const [reason = warning.text] = warning.text.split("; automatic bans");
  return `on host ${status.host} ${reason}`;
}
