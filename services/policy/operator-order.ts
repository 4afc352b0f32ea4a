/**
 * An operator's own word within a ban that failures have brought, too: the operator has lengthened
 * an automatic ban, or failures have extended the operator's. What a host has reported may be undone
 * as a whole, because the host has lied; then the operator's ban is what is left.
 */
import { isInForce, type Ban } from "../wire/ban.ts";
import type { Change } from "./ban-memory.ts";

export type Order = NonNullable<NonNullable<Ban["basis"]>["order"]>;

/** undefined: no operator has commanded the ban. To release a held ban is no command of it. */
export function orderIn({ basis, by, evidence, until, reason }: Ban): Order | undefined {
  if (basis?.order) return basis.order;
  return by === "decider" || evidence.length > 0 ? undefined : { until, by, reason };
}

/** The basis of a ban that rests on failures and on `order`. */
export const withOrder = (basis: Ban["basis"], order: Order | undefined): Pick<Ban, "basis"> =>
  order ? { basis: { ...basis, order } } : basis ? { basis } : {};

/** Takes what failures have brought from the ban; undefined: nothing else is in force. */
export function leaveOrder(present: Ban, { now, id }: Pick<Change, "now" | "id">): Ban | undefined {
  const order = present.evidence.length > 0 ? orderIn(present) : undefined;
  if (!order || !isInForce({ state: "active", until: order.until }, now)) return undefined;
  const left = { ...present };
  delete left.basis;
  delete left.policyVersion;
  delete left.completedBy;
  return { ...left, ...order, evidence: [], change: id, changedAt: now };
}
