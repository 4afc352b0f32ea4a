/**
 * Our cookies. The prefix `__Host-` makes browsers refuse them unless they are Secure, of this host alone
 * and for every path, so neither another host nor another scheme can set them. Browsers take Secure
 * cookies over http from this machine, too.
 */
import type { IncomingMessage } from "node:http";

export interface Cookie {
  read(request: IncomingMessage): string | undefined;
  /** The header that sets it. */
  set(value: string, seconds: number): string;
  /** The header that clears it. */
  clear: string;
}

export function createCookie(name: `__Host-${string}`, sameSite: "Strict" | "Lax"): Cookie {
  const spell = (value: string, seconds: number) =>
    `${name}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=${sameSite}`;
  return {
    read({ headers }) {
      const cookies = headers.cookie?.split(";").map((each) => each.trim()) ?? [];
      return cookies.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
    },
    set: spell,
    clear: spell("", 0),
  };
}

export const SESSION_COOKIE = createCookie("__Host-fleetban", "Strict");
