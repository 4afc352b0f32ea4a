/** Whether an address is known good, in words. */
import { formatDuration } from "../config/duration.ts";
import { mostNeeded } from "../policy/offence-rules.ts";
import type { Reply } from "../wire/api.ts";
import type { Jail } from "../wire/settings.ts";
import type { Cell } from "./table.ts";
import { formatBoth } from "./time.ts";

/** A row for each jail that has knownGood. */
export function explainKnownGood(
  logins: Reply<"ban.show">["logins"],
  jails: readonly Jail[],
  now: number,
): Cell[][] {
  const asking = jails.filter(({ knownGood }) => knownGood !== undefined);
  if (asking.length === 0) return [["known good", "no: no jail asks for it (knownGood)"]];
  if (!logins) return [["known good", "not known: the coordinator is of an older version"]];
  return asking.map((jail) => ["known good", explainIn(jail, logins, now)]);
}

function explainIn(
  jail: Jail,
  [last]: NonNullable<Reply<"ban.show">["logins"]>,
  now: number,
): string {
  const { name, knownGood: { within } = { within: 0 } } = jail;
  const isKnown = last !== undefined && last.at >= now - within * 1000;
  if (!isKnown) return `no in ${name}: no login within ${formatDuration(within)}`;
  const login = `last login ${formatBoth(last.at, now)} on ${last.host}`;
  return `yes in ${name}: ${login}; ${mostNeeded(jail)} failures ban it`;
}
