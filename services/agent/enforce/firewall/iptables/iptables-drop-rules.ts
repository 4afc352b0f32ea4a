/**
 * A ban as a rule of a jail's chain. A rule of a ban that ends carries the `time` match: the kernel
 * itself stops to apply it, also when the agent is dead, and whoever reads it sees when.
 */
import { familyOf, parseNetwork, prefixOf, type Address } from "../../../../wire/address.ts";
import type { TimedBan } from "../firewall.ts";
import { chainName, checked, type Family } from "../names.ts";
import type { Chains } from "./iptables-chains.ts";

/** xt_time knows dates up to 2106, and takes 2038-01-19 for none; later bans are renewed by then. */
const LAST_SECOND = Date.UTC(2038, 0, 1) / 1000;

/** A line for the family's iptables-restore. */
export interface Line {
  family: Family["family"];
  text: string;
}

/** The end of a ban in seconds since 1970; undefined: for ever. */
export type End = number | undefined;

/** The kernel applies a rule until the end of its last second. */
export const isOver = (end: End, now: number): boolean =>
  end !== undefined && end * 1000 + 999 < now;

export function insertLine(jail: string, address: Address, end: End): Line {
  const text = `-I ${chainName(jail)} 1 ${dropRule(address, end)}`;
  return { family: familyOf(address), text };
}

/** To remove a rule takes its exact words. */
export function deleteLine(jail: string, address: Address, end: End): Line {
  const text = `-D ${chainName(jail)} ${dropRule(address, end)}`;
  return { family: familyOf(address), text };
}

/** As `iptables -S` spells it. */
export function dropRule(address: Address, end: End): string {
  const source = address.includes("/") ? address : `${checked(address)}/${prefixOf(address)}`;
  const until =
    end === undefined || end > LAST_SECOND
      ? ""
      : `-m time --datestop ${new Date(end * 1000).toISOString().slice(0, 19)} `;
  return `-s ${source} ${until}-j DROP`;
}

const DROP_RULE = /^-s (\S+) (?:-m time --datestop (\S+) )?-j DROP$/;

/** The bans that are rules in our chains, whoever made them. */
export async function bansIn(
  chains: readonly Pick<Chains, "rules">[],
  now: number,
): Promise<TimedBan[]> {
  const found = await Promise.all(chains.map(({ rules }) => rules()));
  return found.flat().flatMap(({ jail, rule }): TimedBan[] => {
    const [, source = "", until] = DROP_RULE.exec(rule) ?? [];
    const address = parseNetwork(source);
    if (address === undefined) return [];
    if (until === undefined) return [{ jail, address, seconds: undefined }];
    const end = Date.parse(`${until}Z`) / 1000;
    if (isOver(end, now)) return [];
    return [{ jail, address, seconds: Math.max(Math.ceil((end * 1000 - now) / 1000), 1) }];
  });
}
