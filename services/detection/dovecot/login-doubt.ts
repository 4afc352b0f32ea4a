/**
 * Lines whose reason quotes somebody else: the subject of a client's certificate, or what the server
 * behind a proxy replied.
 *
 *   proxy(bob,192.0.2.9:143): Login failed: [AUTH] REPLY: user=<bob>, method=PLAIN, rip=192.0.2.55
 *
 * A quotation may hold elements, and a syslog daemon may have cut the true ones off. So the
 * address of such a line is believed only if no other one can be its client's.
 */
import type { Address } from "../../wire/address.ts";
import { ELEMENT_KEY } from "./element-tokens.ts";
import { addressesIn, isSureList, mayEndInDoubt } from "./login-elements.ts";

/** Every place where elements may begin, whatever login_log_format puts before them. */
const START = new RegExp(`(?<!,)[ [({](?=${ELEMENT_KEY})`, "g");
/** Elements that come first are true up to the reason, which `findLayouts` looks for. */
const ELEMENTS_FIRST = new RegExp(`^[[({]{0,2}${ELEMENT_KEY}`);
const MAX_STARTS = 32;
const LAST_FAILURE = "last failure:";
/** Dovecot 2.4 shortens a reply to this number of bytes. */
const MAX_REPLY = 160;
/** A longer line may have been cut after 1024 bytes (RFC 3164) or more, and then ends within a quotation. */
const MAX_LENGTH = 863;

/** Does the reason, which begins the line, quote somebody? */
export function quotesSomebody(body: string): boolean {
  if (body.startsWith("proxy(")) return true;
  if (ELEMENTS_FIRST.test(body)) return false;
  const head = headOf(body);
  return head.includes("SSL") || head.includes(LAST_FAILURE);
}

/** What stands before the first place where elements may begin. */
function headOf(body: string): string {
  const first = body.search(START);
  return first < 0 ? body : body.slice(0, first);
}

/** Is `address` the only one that the line can name as its client's? */
export function isOnlyAddress(body: string, address: Address): boolean {
  if (body.length > MAX_LENGTH) return false;
  // The name in `proxy(NAME,192.0.2.9:143): ` stands before all that a reason says.
  const from = body.startsWith("proxy(") ? body.indexOf("): ") : 0;
  let starts = 0;
  let isClean = false;
  for (const { index, 0: mark } of body.matchAll(START)) {
    if (index < from) continue;
    starts += 1;
    if (starts > MAX_STARTS) return false;
    const found = addressesIn(withoutEnd(body.slice(index + 1), mark));
    for (const other of found.addresses) if (other !== address) return false;
    isClean ||= found.isClean && found.addresses.size > 0;
  }
  return isClean;
}

/**
 * Is a line in doubt that a syslog daemon may have cut? The cut may have taken the client's own
 * address away, and left one that is the client's text. A certificate may be of any length; behind
 * `last failure: ` Dovecot quotes 160 bytes at most, and in a name 80.
 */
export function isInDoubtWhenCut(body: string, address: Address | undefined): boolean {
  // The reason stands behind all of the client's text.
  if (ELEMENTS_FIRST.test(body)) return true;
  const head = headOf(body);
  if (head.includes("SSL certificate")) return true;
  const quote = head.indexOf(LAST_FAILURE);
  if (quote >= 0 && body.length - quote <= LAST_FAILURE.length + 1 + MAX_REPLY) return true;
  const starts = [...body.matchAll(START)];
  if (starts.some(({ index }) => mayEndInDoubt(body.slice(index + 1)))) return true;
  return address !== undefined && !isOnlyAddress(body, address);
}

/**
 * Is a line whole that a syslog daemon may have cut after 255 bytes? A line so short is cut within the
 * name, or soon behind it. Nothing but the name may be client text.
 */
export function isWholeWhenShort(body: string): boolean {
  if (ELEMENTS_FIRST.test(body) || quotesSomebody(body)) return false;
  return isSureList(body.slice(headOf(body).length + 1));
}

/** The elements without the bracket that closes them, and without a comma behind which a cut is. */
function withoutEnd(elements: string, mark: string): string {
  return elements.replace(mark === " " ? /,? ?$/ : /[\])}]?,? ?$/, "");
}
