/**
 * The elements of a login line, `user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS,
 * session=<ZrmCsAVgAcDAAAI3>`, in whatever order and place the administrator has put them.
 *
 * The user name is the client's text and may look like all the rest. What stands before it is
 * Dovecot's; what stands behind it begins with the last `rip=` that an address follows. So the
 * reason ends before the first element, and where the administrator has put the address before
 * the name it is taken from there.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import { addressOfSession } from "./session-id.ts";

export interface Elements {
  /** What stands before them, or where the administrator wants it so, behind them. */
  reason: string;
  address: Address;
  user: string | undefined;
  method: string | undefined;
  session: string | undefined;
  /** The connection was encrypted, or from this very host. */
  isSecured: boolean;
}

const ELEMENT = "(?:user=<|(?:method|rip|lip|mpid|service|lport|rport)=|session=<)";
/** What may stand first behind the reason, and cannot stand in it. */
const FIRST_ELEMENT = new RegExp(`: ${ELEMENT}`);
/** The elements come first, perhaps in brackets: `login_log_format = [%s] %$`. */
const OPENING = new RegExp(`^[[({]{0,2}${ELEMENT}`);
/** They come last, in brackets: `%$ [%s]`. */
const BRACKET = new RegExp(`[ :][[({](?=${ELEMENT})`);
/** How a reason begins. */
const HEAD =
  /(?:Disconnected|Aborted login|Login aborted|Logged in|Login|proxy\(|Remote closed|Client has quit|Timeout while|Maximum number)/g;
const LONGEST_REASON = 1_000;
const SESSION = /(?:^|, )session=<([^<>]{1,64})>(?:, |$)/;
/** The session behind the name: nothing but elements without `<` stands behind it. */
const LAST_SESSION = /, session=<([^<>]{1,64})>(?:, [^<>]*)?$/;
const METHOD = /(?:^|, )method=([^\s,]{1,64})(?:, |$)/;
const SECURED = /(?:^|, )(?:TLS|TSL|secured)\b/;

/** Takes apart what stands behind the service's name; undefined: there are no elements. */
export function readElements(body: string): Elements | undefined {
  const end = OPENING.test(body.slice(0, 40)) ? -1 : body.search(FIRST_ELEMENT);
  if (end < 0) {
    const usual = inUsualShape(body);
    return usual === undefined ? undefined : readElements(usual);
  }
  const [from, reason] = [end + 2, body.slice(0, end)];
  if (!body.startsWith("user=<", from)) {
    const elements = readReordered(body, from, reason);
    if (elements) return elements;
  }
  const found = findAddress(body, from);
  if (!found) return undefined;
  const { user, method } = readUser(body.slice(from, found.at));
  return readBehind(body.slice(found.at), { reason, address: found.address, user, method });
}

/** What stands behind the address: all of it is Dovecot's. */
function readBehind(
  behind: string,
  before: Pick<Elements, "reason" | "address" | "user" | "method">,
): Elements {
  const { reason, address, user, method = METHOD.exec(behind)?.[1] } = before;
  const open = behind.indexOf(", session=<");
  const close = open < 0 ? -1 : behind.indexOf(">", open);
  const session = close < 0 || close - open > 75 ? undefined : behind.slice(open + 11, close);
  // Only asked where there is no mechanism.
  const isSecured = method === undefined && SECURED.test(behind);
  return { reason, address, user, method, session, isSecured };
}

/** In an order of the administrator's own: a mechanism holds no space, so nothing before the name is the client's. */
function readReordered(body: string, from: number, reason: string): Elements | undefined {
  const name = body.indexOf(", user=<", from);
  const before = body.slice(from, name < 0 ? body.length : name);
  const method = METHOD.exec(before)?.[1];
  const session = SESSION.exec(before)?.[1];
  const isSecured = SECURED.test(before);
  const own = /(?:^|, )rip=([^\s,]{1,50})/.exec(before)?.[1];
  const address = own === undefined ? undefined : parseAddress(own);
  if (address !== undefined) {
    const shown = { method, session, isSecured };
    if (name < 0) return { reason, address, user: undefined, ...shown };
    return { reason, address, ...readNameAndRest(body.slice(name + 2), shown) };
  }
  const found = name < 0 ? undefined : findAddress(body, name);
  if (!found) return undefined;
  const { user, method: later } = readUser(body.slice(name + 2, found.at));
  const rest = { reason, address: found.address, user, method: method ?? later };
  const elements = readBehind(body.slice(found.at), rest);
  elements.session ??= session;
  elements.isSecured ||= isSecured;
  return elements;
}

/**
 * `user=<bob>, method=PLAIN, lip=203.0.113.25, TLS, session=<ZrmCsAVgAcDAAAI3>` behind an address.
 * `shown` are the elements that stand before the name. The name is the client's and reaches to the
 * last `>` that does not close Dovecot's session id.
 */
function readNameAndRest(
  text: string,
  shown: Pick<Elements, "method" | "session" | "isSecured">,
): Pick<Elements, "user" | "method" | "session" | "isSecured"> {
  const id = shown.session === undefined ? LAST_SESSION.exec(text) : null;
  const close = id ? text.lastIndexOf(">", id.index) : text.lastIndexOf(">");
  const rest = text.slice(close + 1);
  return {
    user: close < 6 ? undefined : text.slice(6, close),
    method: shown.method ?? METHOD.exec(rest)?.[1],
    session: shown.session ?? id?.[1],
    isSecured: shown.isSecured || SECURED.test(rest),
  };
}

/**
 * The last `rip=` with an address after it, which stands behind the user name. A name that the
 * administrator lets stand behind it, such as that in TLS's hello, is the client's, too: then
 * the session at the line's end, which holds the peer's address, says which one is right.
 */
function findAddress(body: string, from: number): { address: Address; at: number } | undefined {
  let last: { address: Address; at: number } | undefined;
  let peer: Address | undefined;
  const first = body.indexOf(", rip=", from);
  if (first < 0) return undefined;
  // Nearly always there is but one.
  const before = (at: number) => (at === first ? -1 : body.lastIndexOf(", rip=", at - 1));
  for (let at = body.lastIndexOf(", rip="); at >= first; at = before(at)) {
    if (last !== undefined && peer === undefined) {
      const session = /, session=<([^<>]{16,32})>$/.exec(body.slice(-44))?.[1];
      peer = session === undefined ? undefined : addressOfSession(session);
      if (peer === undefined || peer === last.address) return last;
    }
    const start = at + 6;
    const comma = body.indexOf(",", start);
    const end = comma < 0 ? Math.min(body.length, start + 50) : Math.min(comma, start + 50);
    const address = parseAddress(body.slice(start, end));
    if (address === undefined) continue;
    if (last === undefined) last = { address, at };
    else if (address === peer) return { address, at };
  }
  return last;
}

/** `user=<bob>, method=PLAIN` without what follows. */
function readUser(elements: string): { user: string | undefined; method: string | undefined } {
  if (!elements.startsWith("user=<")) return { user: undefined, method: undefined };
  // A mechanism holds no space and no comma, so the last one of that shape is Dovecot's.
  const end = elements.lastIndexOf(">, method=");
  const method = end < 0 ? "" : elements.slice(end + 10);
  if (/^[^\s,]{1,64}$/.test(method)) return { user: elements.slice(6, end), method };
  const close = elements.lastIndexOf(">");
  return { user: close < 6 ? undefined : elements.slice(6, close), method: undefined };
}

/** `[user=<bob>, ...] Disconnected (..)` and `Disconnected (..) [user=<bob>, ...]` as `Disconnected (..): user=<bob>, ...`. */
function inUsualShape(body: string): string | undefined {
  const open = OPENING.exec(body.slice(0, 40))?.[0];
  if (open === undefined) {
    const at = BRACKET.exec(body)?.index;
    if (at === undefined) return undefined;
    return `${body.slice(0, at).replace(/:$/, "")}: ${body.slice(at + 2).replace(/[\])}]$/, "")}`;
  }
  // The name is the client's; what stands behind the address is Dovecot's, but for a name there.
  const address = Math.max(body.lastIndexOf(", rip="), 0);
  const behind = body.slice(-LONGEST_REASON);
  const shift = body.length - behind.length;
  const isNameLast = body.includes("user=<", address);
  let reason = -1;
  for (const { index } of behind.matchAll(HEAD)) {
    if (shift + index < address) continue;
    reason = shift + index;
    if (!isNameLast) break;
  }
  if (reason < 0) return undefined;
  const elements = body.slice(open.search(/[a-z]/), reason);
  return `${body.slice(reason)}: ${elements.replace(/[\])}"': ,-]+$/, "")}`;
}
