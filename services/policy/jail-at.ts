/**
 * What becomes of a jail when options end that an operator has set for a time. A jail carries its
 * changes to come, so a host that is alone when one of them ends counts by the right numbers, too.
 */
import { isDeepStrictEqual } from "node:util";
import type { Jail } from "../wire/settings.ts";

type Change = NonNullable<Jail["later"]>[number];

/** The jail as it is at `now`. */
export function jailAt(jail: Jail, now: number): Jail {
  const { later = [], ...present } = jail;
  if (later.length === 0) return jail;
  const due = later.filter(({ at }) => at <= now);
  const rest = later.filter(({ at }) => at > now);
  const changed = due.reduce<Jail>((before, change) => applyChange(before, change), present);
  return rest.length === 0 ? changed : { ...changed, later: rest };
}

/** When the first of the jails changes by itself; Infinity: none does. */
export const nextChangeOf = (jails: readonly Jail[]): number =>
  Math.min(...jails.flatMap(({ later = [] }) => later.map(({ at }) => at)));

function applyChange(jail: Jail, { changed, gone }: Change): Jail {
  const fields = Object.entries({ ...jail, ...changed }).filter(([name]) => !gone.includes(name));
  return Object.fromEntries(fields) as Jail; // `gone` names optional fields alone
}

/** The change that makes `after` of `before`. */
export function changeBetween(before: Jail, after: Jail, at: number): Change {
  const old = new Map<string, unknown>(Object.entries(before));
  const fields = Object.entries(after);
  const changed = fields.filter(([name, value]) => !isDeepStrictEqual(old.get(name), value));
  const gone = [...old.keys()].filter((name) => !Object.hasOwn(after, name));
  return { at, changed: Object.fromEntries(changed), gone };
}
