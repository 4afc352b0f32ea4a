/**
 * Is a request one of our own page's? A page of another site can make a browser send requests here,
 * with our cookie in the worst case. It cannot set these three headers so.
 */
import type { IncomingMessage } from "node:http";
import { WebError } from "./web-error.ts";

/** The longest request: a ban with its reason is some hundred bytes. NATS takes no more from an operator. */
const MAX_BODY_BYTES = 65_536;

/** Throws a WebError if another page may have sent it. */
export function checkOwn({ headers }: IncomingMessage, origin: string): void {
  if (headers.origin !== origin) {
    throw new WebError(403, `expected a request from ${origin}: open the page at that address`);
  }
  if (headers["fleetban-web"] !== "1") {
    throw new WebError(403, "expected the header Fleetban-Web: 1");
  }
  if (headers["content-type"]?.split(";")[0]?.trim().toLowerCase() !== "application/json") {
    throw new WebError(415, "expected Content-Type: application/json");
  }
}

/** Throws a WebError if it is too long. */
export async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const tooLong = () => new WebError(413, `expected at most ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLong();
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The connection stays open for the refusal; it is closed behind it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
