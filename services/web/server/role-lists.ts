/** Which role somebody has whom another system vouches for: by their name, or by their groups. */
import * as z from "zod";
import { ASKER_ROLES, type AskerRole } from "../../wire/askers.ts";

const names = z.array(z.string().min(1).max(256)).default([]);

/** "*" is everybody. */
export const roleLists = z
  .strictObject({ operator: names, support: names, viewer: names })
  .refine(
    (lists) => Object.values(lists).some((list) => list.length > 0),
    "expected somebody with a role: nobody could use the page",
  );
export type RoleLists = z.output<typeof roleLists>;

/** The role with the most rights; undefined: none. */
export function roleOf(lists: RoleLists, names: readonly string[]): AskerRole | undefined {
  const has = (role: AskerRole) =>
    lists[role].some((wanted) => wanted === "*" || names.includes(wanted));
  return ASKER_ROLES.findLast(has);
}

/** A name from elsewhere as the record can show it: of letters, digits and these signs. */
export const ASKER_NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;
