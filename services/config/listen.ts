/** Where a server of ours listens: "127.0.0.1:9480" or "[::1]:9480". */
import * as z from "zod";

export const listenConfig = z.string().regex(/^(?:\[[0-9a-f:]+\]|[^:]+):\d{1,5}$/, {
  error: (issue) =>
    `expected an address and a port such as "127.0.0.1:9480", got ${JSON.stringify(issue.input)}`,
});

export interface ListenAddress {
  host: string;
  port: number;
}

export function parseListen(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(text.slice(colon + 1)),
  };
}

/** As `parseListen` reads it. */
export function spellListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host of a URL; an IPv6 address without its brackets. */
export const hostOfUrl = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "");

/** Can only this machine reach what listens on `host`? */
export function isLoopback(host: string): boolean {
  return /^(?:127(?:\.\d+){3}|::1|localhost)$/.test(host);
}
