/**
 * Which commands a role may use: the others are not shown. The server decides by its own table
 * whatever the page shows.
 */
import type { Role } from "../api/client.ts";
import { prefixOf } from "../text/addresses.ts";

export type Command =
  | "ban"
  | "unban"
  | "lift-many"
  | "held"
  | "allow"
  | "allow-for-ever"
  | "allow-remove"
  | "quarantine"
  | "simulate";

/** The longest time for which support may allow an address. */
export const SUPPORT_SECONDS = 7 * 86_400;

/** Support helps one customer at a time: an IPv4 address, or an IPv6 network of one customer. */
const isOfOneCustomer = (address: string): boolean =>
  prefixOf(address) >= (address.includes(":") ? 64 : 32);

/** `address`: what the command is for, where it is known. */
export function may(role: Role, command: Command, address?: string): boolean {
  switch (role) {
    case "operator":
      return true;
    case "support":
      if (command === "simulate") return true;
      if (command !== "unban" && command !== "allow") return false;
      return address === undefined || isOfOneCustomer(address);
    case "viewer":
      return command === "simulate";
  }
}
