/** What the page's server answers, before it is written. */
import type { OutgoingHttpHeaders } from "node:http";
import type { WebError } from "./web-error.ts";

export interface HttpReply {
  code: number;
  headers: OutgoingHttpHeaders;
  body: string | Uint8Array;
}

export function jsonReply(
  code: number,
  body: object | Uint8Array,
  headers: OutgoingHttpHeaders = {},
): HttpReply {
  const type = { "content-type": "application/json", "cache-control": "no-store" };
  const text = body instanceof Uint8Array ? body : JSON.stringify(body);
  return { code, headers: { ...type, ...headers }, body: text };
}

/** JSON for the page's script, which sends POSTs; a line of text for a person. */
export function errorReply(error: WebError, method: string | undefined): HttpReply {
  if (method === "POST") return jsonReply(error.code, { error: error.message, ...error.more });
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return { code: error.code, headers, body: `${error.message}\n` };
}
