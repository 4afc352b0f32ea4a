/** What the page's server answers, before it is written. */
import type { OutgoingHttpHeaders } from "node:http";
import { WebError } from "./web-error.ts";

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

export function errorReply(error: WebError): HttpReply {
  return jsonReply(error.code, { error: error.message, ...error.more });
}
