/**
 * A drill: a failed login of a user and an address that nobody has goes through one host's log, and
 * through everything behind it, as an attacker's would.
 *
 * The address is of 240.0.0.0/8, which is reserved, and from which no packet comes: a ban of it
 * harms nobody. https://www.iana.org/assignments/iana-ipv4-special-registry
 */
import * as z from "zod";
import { overlaps, parseNetwork, type Address } from "./address.ts";
import { foreignText, hostAddress, instant } from "./codec.ts";
import { JAIL_NAME } from "./subjects.ts";

/** What an agent is to do, under `drill.<host>` in the settings bucket. */
export const drill = z.object({
  v: z.literal(1),
  id: z.uuid(),
  at: instant,
  by: foreignText,
  jail: z.string().regex(JAIL_NAME),
  user: z.string().regex(/^[a-z0-9-]{1,64}$/),
  address: hostAddress,
  /** The number of attempts that the failure counts for. */
  attempts: z.number().int().min(1).max(100),
});
export type Drill = z.infer<typeof drill>;

/** How far an agent has come with a drill; all of it by the host's own clock. */
export const drillReport = z.object({
  id: z.uuid(),
  /** What was done, such as "IMAP login at 127.0.0.1:993". */
  how: foreignText.optional(),
  attemptedAt: instant.optional(),
  readAt: instant.optional(),
  /** Why it cannot be done. */
  trouble: foreignText.optional(),
});
export type DrillReport = z.infer<typeof drillReport>;

/** Longer than this no drill goes on. */
export const DRILL_WITHIN_MS = 60_000;

const NETWORK: Address | undefined = parseNetwork("240.0.0.0/8");

export function isOfDrill(address: Address): boolean {
  return NETWORK !== undefined && overlaps(NETWORK, address);
}

/** `random`: three bytes. */
export function drillAddress([b = 0, c = 0, d = 0]: Uint8Array): Address {
  const address = parseNetwork(`240.${b}.${c}.${d}`);
  if (address === undefined) throw new Error("a drill's address is no address, which is a bug");
  return address;
}
