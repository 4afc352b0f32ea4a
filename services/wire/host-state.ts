/** What the row of a host says of it. */
import type { HostRow } from "./api.ts";

/** Is it silent, and not only not heard yet by a coordinator that has just started? */
export const isDown = ({ state, awaited }: Pick<HostRow, "state" | "awaited">): boolean =>
  state === "down" && !awaited;
