/**
 * The elements of a login line, `user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS,
 * session=<ZrmCsAVgAcDAAAI3>`, in whatever order the administrator has put them.
 *
 * The user name is the client's text and may look like all the rest, and so may a few other
 * elements (the server name in TLS's hello, the subject of a certificate). So a list of elements
 * may be read in several ways. What every reading agrees on is true. If two readings name two
 * addresses, nobody can tell which one is the client's.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import { addressAt, kindOf, type TokenKind } from "./element-tokens.ts";
import { addressOfSession } from "./session-id.ts";

export interface Elements {
  address: Address;
  user: string | undefined;
  method: string | undefined;
  session: string | undefined;
  /** The connection was encrypted, or from this very host. */
  isSecured: boolean;
}

/** Dovecot cuts names in login lines to this many bytes (src/login-common/client-common.c). */
export const MAX_USER = 80;
/** A syslog daemon that spells bytes as `M-c`, `\303` or `#303` makes a name longer. */
const SPELLED = /(?<!CRA)M[-^]|[\\#]\d{3}|\\x|\\u|\^[@-_]/;
/** A line with more elements is none of Dovecot's. */
const MAX_TOKENS = 400;

interface Token {
  from: number;
  to: number;
  kind: TokenKind;
}

/**
 * Reads `text`, which holds elements and nothing else. undefined: it names no address. Behind
 * `method=` stands a mechanism of Dovecot's, or any text of the client.
 */
export function readElements(
  text: string,
  mechanismOf?: "client",
): Elements | "ambiguous" | undefined {
  return readUsual(text) ?? readAnyElements(text, mechanismOf);
}

/**
 * user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, mpid=304, TLS, session=<ZrmCsAVgAcDAAAI3>
 *
 * Nearly every line has these elements, and a name without a comma or an angle bracket, which can
 * be read in one way only. `readAnyElements` reads the same out of it; a property test holds that.
 */
const USUAL =
  /^user=<([^<>,]{0,80})>, method=([A-Za-z0-9_-]{1,64}), rip=([0-9a-fA-F.:]{2,45}), lip=([0-9a-fA-F.:]{2,45})(?:, mpid=\d{1,10})?(, TLS|, secured)?(?:, session=<([^<>\s,]{1,80})>)?$/;

function readUsual(text: string): Elements | undefined {
  const found = USUAL.exec(text);
  if (found === null) return undefined;
  const [, user, method, peer = "", local = "", secured, session] = found;
  const address = parseAddress(peer);
  if (address === undefined || !isLocalAddress(local)) return undefined;
  return { address, user, method, session, isSecured: secured !== undefined };
}

/** A host has few addresses of its own, so the last one that was an address is remembered. */
let lastLocal = "";

/** Is it an address, as of Dovecot's own end of the connection? */
export function isLocalAddress(text: string): boolean {
  if (text === lastLocal) return true;
  if (parseAddress(text) === undefined) return false;
  lastLocal = text.slice();
  return true;
}

/** Reads elements in any order, with any name. */
export function readAnyElements(
  text: string,
  mechanismOf?: "client",
): Elements | "ambiguous" | undefined {
  const tokens = tokensOf(text);
  if (tokens === undefined) return undefined;
  if (mechanismOf === "client") openMechanisms(tokens);
  const name = tokens.findIndex(({ kind }) => kind === "user");
  const opener = tokens.findIndex(({ kind }) => kind === "opener");
  if (name < 0 || (opener >= 0 && opener < name)) return readWith(text, tokens, -1, -1);
  const isBracketed = text[(tokens[name]?.from ?? 0) + 5] === "<";
  let found: Elements | undefined;
  for (let last = name; last < tokens.length; last += 1) {
    if (!isWholeName(text, tokens, name, last)) continue;
    const elements = readWith(text, tokens, name, last);
    if (elements === "ambiguous") return elements;
    if (elements === undefined) {
      if (found && contradictsCutShort(found, text, tokens, name, last)) return "ambiguous";
      continue;
    }
    const isAll = last === tokens.length - 1 && tokens[last]?.kind === "session";
    const isShort = isAll || !isBracketed;
    const joined = found === undefined ? elements : agree(found, elements, isShort);
    if (joined === "ambiguous") return joined;
    found = joined;
  }
  // Cut behind an element, a line may end before Dovecot's own address.
  return found !== undefined && text.endsWith(",") ? "ambiguous" : found;
}

/** `method=A, 0`: a mechanism that Dovecot does not know may hold ", ". */
function openMechanisms(tokens: Token[]): void {
  for (const token of tokens) if (token.kind === "method") token.kind = "opener";
}

/**
 * A syslog daemon may have cut the line within its last element. Does the name that ends with the
 * token `last` then leave another address than `found` has, or none?
 */
function contradictsCutShort(
  found: Elements,
  text: string,
  tokens: readonly Token[],
  name: number,
  last: number,
): boolean {
  if (tokens.at(-1)?.kind !== "other" || last >= tokens.length - 1) return false;
  // A part of client text behind the name shows that the name does not end here.
  const behind = tokens.slice(last + 1, -1);
  const doubt = behind.findIndex(({ kind }) => kind === "opener");
  const sure = doubt < 0 ? behind : behind.slice(0, doubt);
  if (sure.some(({ kind }) => kind === "other" || kind === "user")) return false;
  const elements = readWith(text, tokens.slice(0, -1), name, last);
  return elements === "ambiguous" || elements?.address !== found.address;
}

/**
 * Every address that `text`, which begins with an element, may name as the client's, whatever else
 * it holds; and whether some reading holds nothing but elements.
 */
export function addressesIn(text: string): { addresses: Set<Address>; isClean: boolean } {
  const found = { addresses: new Set<Address>(), isClean: false };
  const tokens = tokensOf(text) ?? [];
  const name = tokens.findIndex(({ kind }) => kind === "user");
  // The line may end within the name: then what stands before it is all there is.
  const cut = name < 0 ? -1 : tokens.length;
  noteAddresses(text, tokens, name, cut, found.addresses);
  found.isClean = name < 0 && tokens.every(({ kind }) => kind !== "other");
  for (let last = name; name >= 0 && last < tokens.length; last += 1) {
    if (!isWholeName(text, tokens, name, last)) continue;
    noteAddresses(text, tokens, name, last, found.addresses);
    found.isClean ||= tokens.every(
      ({ kind }, at) => (at >= name && at <= last) || (kind !== "other" && kind !== "user"),
    );
  }
  return found;
}

/**
 * May a line that was cut end within its name, or before its client's address is whole? Then
 * another address, and a session, may be the client's text.
 */
export function mayEndInDoubt(text: string): boolean {
  const tokens = tokensOf(text) ?? [];
  const name = tokens.findIndex(({ kind }) => kind === "user");
  // What the cut has shortened is no whole element.
  const whole = tokens.slice(0, -1);
  const lacksAddress = (last: number): boolean => {
    const addresses = new Set<Address>();
    noteAddresses(text, whole, name, last, addresses);
    return addresses.size === 0;
  };
  if (name < 0) return lacksAddress(-1);
  return (
    isShortName(text.slice((tokens[name]?.from ?? 0) + 6)) ||
    tokens.some(
      (_, last) => last >= name && isWholeName(text, tokens, name, last) && lacksAddress(last),
    )
  );
}

/**
 * Does `text` show the whole name and the whole address, even if it was cut soon behind them? Nothing
 * but the name is client text, more stands behind its beginning than a name can have, and where its
 * end is in doubt the address stands behind the last place where it can be.
 */
export function isSureList(text: string): boolean {
  const tokens = tokensOf(text) ?? [];
  const name = tokens.findIndex(({ kind }) => kind === "user");
  const from = (tokens[name]?.from ?? text.length) + "user=<".length;
  if (text.length - from <= MAX_USER + 1) return false;
  const ends = [...tokens.keys()].filter(
    (last) => last >= name && isWholeName(text, tokens, name, last),
  );
  const behind = tokens.slice((ends.at(-1) ?? tokens.length) + 1);
  const before = tokens.slice(0, name);
  if (![...before, ...behind].every(isSure)) return false;
  const hasAddress = (list: readonly Token[]) => list.some(({ kind }) => kind === "rip");
  return hasAddress(behind.slice(0, -1)) || (ends.length === 1 && hasAddress(before));
}

const isSure = ({ kind }: Token): boolean =>
  kind !== "user" && kind !== "opener" && kind !== "other";

/** Adds the addresses outside the name, which goes from the token `name` to the token `last`. */
function noteAddresses(
  text: string,
  tokens: readonly Token[],
  name: number,
  last: number,
  addresses: Set<Address>,
): void {
  for (const [index, { from, to }] of tokens.entries()) {
    if ((index >= name && index <= last) || !text.startsWith("rip=", from)) continue;
    const address = addressBefore(text, from + 4, to);
    if (address !== undefined) addresses.add(address);
  }
}

/** The address of an element that may be the last one in brackets, `rip=192.0.2.55]`. */
function addressBefore(text: string, from: number, to: number): Address | undefined {
  return addressAt(text, from, to) ?? addressAt(text, from, from + valueLength(text, from, to));
}

/** How long the value is up to a bracket that closes. */
function valueLength(text: string, from: number, to: number): number {
  const length = text.slice(from, to).search(/[\])}]/);
  return length < 0 ? to - from : length;
}

/**
 * What two readings agree on. A client can end his name too early, so the longer name is Dovecot's,
 * but for one that reaches over Dovecot's session id to the end. An open name, `user=bob`, ends
 * nowhere. In both cases the shorter name is likely (`isShort`).
 */
function agree(shorter: Elements, longer: Elements, isShort: boolean): Elements | "ambiguous" {
  if (shorter.address !== longer.address) return "ambiguous";
  if (isShort) return shorter;
  const { session } = shorter;
  const isLost = session !== undefined && longer.session === undefined;
  if (isLost && addressOfSession(session) === shorter.address) return shorter;
  if ((shorter.method === undefined) !== (longer.method === undefined)) return "ambiguous";
  if (session !== longer.session) longer.session = undefined;
  return longer;
}

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  for (let from = 0; from <= text.length;) {
    const comma = text.indexOf(", ", from);
    const to = comma < 0 ? text.length : comma;
    tokens.push({ from, to, kind: kindOf(text, from, to) });
    if (tokens.length > MAX_TOKENS) return undefined;
    from = to + 2;
  }
  return tokens;
}

/** May the name that begins with the token `name` end with the token `last`? */
function isWholeName(text: string, tokens: readonly Token[], name: number, last: number): boolean {
  const from = (tokens[name]?.from ?? 0) + 5;
  const to = tokens[last]?.to ?? 0;
  const isBracketed = text[from] === "<";
  if (isBracketed && text[to - 1] !== ">") return false;
  return isShortName(isBracketed ? text.slice(from + 1, to - 1) : text.slice(from, to));
}

function isShortName(name: string): boolean {
  return name.length <= MAX_USER || (name.length <= 4 * MAX_USER && SPELLED.test(name));
}

/**
 * One reading: the name goes from the token `name` to the token `last` (-1: there is no name).
 * Behind an opener, every element may be true or client text.
 */
function readWith(
  text: string,
  tokens: readonly Token[],
  name: number,
  last: number,
): Elements | "ambiguous" | undefined {
  const sure: Shown = newShown();
  let doubtful: Shown | undefined;
  for (const [index, token] of tokens.entries()) {
    if (index >= name && index <= last) continue;
    if (token.kind === "opener") doubtful ??= newShown();
    const isRead = show(text, token, doubtful ?? sure);
    // No element stands twice, and nothing but elements stands outside of client text.
    if (!isRead && doubtful === undefined) return undefined;
    if (!isRead && token.kind === "rip" && sure.address === undefined) return "ambiguous";
  }
  const address = sure.address ?? doubtful?.address;
  if (address === undefined) return undefined;
  const isLast = tokens.at(-1)?.kind === "session" && last < tokens.length - 1;
  const seen = isLast ? doubtful?.session : undefined;
  // Dovecot's own address stands between the client's text and this end of the line.
  const isBehindAddress = sure.address === undefined;
  const isMine = isBehindAddress || (seen !== undefined && addressOfSession(seen) === address);
  return {
    address,
    user: nameOf(text, tokens, name, last),
    method: sure.method ?? doubtful?.method,
    session: sure.session ?? (isMine ? seen : undefined),
    isSecured: sure.isSecured || doubtful?.isSecured === true,
  };
}

/** What elements show, read one after another. */
interface Shown {
  address: Address | undefined;
  local: Address | undefined;
  method: string | undefined;
  /** The last one. */
  session: string | undefined;
  isSecured: boolean;
}

const newShown = (): Shown => ({
  address: undefined,
  local: undefined,
  method: undefined,
  session: undefined,
  isSecured: false,
});

/** Notes one element. False: it is none, or it is the second of its key and says something else. */
function show(text: string, { from, to, kind }: Token, shown: Shown): boolean {
  switch (kind) {
    case "rip": {
      const isFirst = shown.address === undefined;
      const address = addressAt(text, from + 4, to);
      shown.address ??= address;
      return isFirst || shown.address === address;
    }
    case "lip": {
      const isFirst = shown.local === undefined;
      shown.local ??= addressAt(text, from + 4, to);
      return isFirst;
    }
    case "method": {
      const isFirst = shown.method === undefined;
      shown.method ??= text.slice(from + 7, to);
      return isFirst;
    }
    case "session": {
      const isFirst = shown.session === undefined;
      shown.session = text.slice(from + 9, to - 1);
      return isFirst;
    }
    case "opener":
      shown.isSecured ||= text.startsWith("TLS", from);
      if (text.startsWith("method=", from)) shown.method ??= text.slice(from + 7, to);
      return true;
    case "secured":
      shown.isSecured = true;
      return true;
    case "fixed":
      return true;
    case "user":
    case "other":
      return false;
  }
}

function nameOf(text: string, tokens: readonly Token[], name: number, last: number) {
  if (name < 0) return undefined;
  const value = text.slice((tokens[name]?.from ?? 0) + 5, tokens[last]?.to);
  return value.startsWith("<") ? value.slice(1, -1) : value;
}
