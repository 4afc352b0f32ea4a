/**
 * The cookie of a session. The prefix `__Host-` makes browsers refuse it unless it is Secure, of this
 * host alone and for every path, so neither another host nor another scheme can set it. Browsers take
 * Secure cookies over http from this machine, too.
 */
import type { IncomingMessage } from "node:http";

const NAME = "__Host-fleetban";

export function cookieOf({ headers }: IncomingMessage): string | undefined {
  const cookies = headers.cookie?.split(";").map((each) => each.trim()) ?? [];
  return cookies.find((each) => each.startsWith(`${NAME}=`))?.slice(NAME.length + 1);
}

const spell = (value: string, maxAge: number) =>
  `${NAME}=${value}; Path=/; Max-Age=${maxAge}; Secure; HttpOnly; SameSite=Strict`;

export const setCookie = (secret: string, seconds: number): string => spell(secret, seconds);
export const CLEAR_COOKIE = spell("", 0);
