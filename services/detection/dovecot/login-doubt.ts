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
import { mayBeCut } from "./cut-line.ts";
import { ELEMENT_KEY } from "./element-tokens.ts";
import { addressesIn } from "./login-elements.ts";

/** Every place where elements may begin, whatever login_log_format puts before them. */
const START = new RegExp(`(?<!,)[ [({](?=${ELEMENT_KEY})`, "g");
/** Elements that come first are true up to the reason, which `findLayouts` looks for. */
const ELEMENTS_FIRST = new RegExp(`^[[({]{0,2}${ELEMENT_KEY}`);
const MAX_STARTS = 32;
/** A longer line may have been cut after 1024 bytes (RFC 3164) or more, and then ends within a quotation. */
const MAX_LENGTH = 863;

/** Does the reason, which begins the line, quote somebody? */
export function quotesSomebody(body: string): boolean {
  if (body.startsWith("proxy(")) return true;
  if (ELEMENTS_FIRST.test(body)) return false;
  const head = headOf(body);
  return head.includes("SSL") || head.includes("last failure: ");
}

/** What stands before the first place where elements may begin. */
function headOf(body: string): string {
  const first = body.search(START);
  return first < 0 ? body : body.slice(0, first);
}

/** Is `address` the only one that the line can name as its client's? */
export function isOnlyAddress(body: string, address: Address): boolean {
  if (body.length > MAX_LENGTH || (mayBeCut(body) && endsInDoubt(body))) return false;
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
 * May a line that was cut end within its quotation, or within the address of its client? Behind
 * `last failure: ` Dovecot quotes 160 bytes at most, which no cut after 480 bytes can end in.
 */
function endsInDoubt(body: string): boolean {
  return headOf(body).includes("SSL certificate") || /[ [({]rip=[^ ,]*$/.test(body);
}

/** The elements without the bracket that closes them, and without a comma behind which a cut is. */
function withoutEnd(elements: string, mark: string): string {
  return elements.replace(mark === " " ? /,? ?$/ : /[\])}]?,? ?$/, "");
}
