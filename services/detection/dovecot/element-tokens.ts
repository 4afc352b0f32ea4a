/**
 * The elements of a login line, one by one: `user=<bob>`, `method=PLAIN`, `rip=192.0.2.55`, `TLS`.
 * Dovecot joins what login_log_format_elements names with ", ". Some elements hold only what
 * Dovecot knows; others open client text, which may contain ", " and look like elements.
 */
import { parseAddress, type Address } from "../../wire/address.ts";

/**
 * fixed: another element without client text. user: a name begins. opener: other client text may begin.
 * other: a part of client text, because no element looks so.
 */
export type TokenKind =
  | "rip"
  | "lip"
  | "session"
  | "method"
  | "secured"
  | "fixed"
  | "user"
  | "opener"
  | "other";

/** The keys that Dovecot's own and most administrators' elements have. */
export const ELEMENT_KEY = "(?:user=|method=|rip=|lip=|mpid=|service=|lport=|rport=|session=<)";

const METHOD = /method=[A-Za-z0-9_-]{1,64}(?=, |$)/y;
const SESSION = /session=<[^<>\s,]{1,80}>(?=, |$)/y;
/** `TLS`, `TLS handshaking`, `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`, `secured`. */
const SECURED =
  /(?:T(?:LS|SL)(?: handshaking)?|(?:TLS|SSL)v[\d.]{1,4} with cipher [\w-]{1,60} \(\d{1,4}\/\d{1,4} bits\)|\(proxied\)|secured)(?=, |$)/y;
/** `TLS: SSL_read failed: ...`: what OpenSSL and Dovecot say of it may quote a certificate. */
const SECURED_OPENER = /T(?:LS|SL)(?: handshaking)?: /y;
const NUMBER = /(?:mpid|lport|rport|pid)=\d{1,10}(?=, |$)/y;
const SERVICE = /service=[a-z0-9-]{1,32}(?=, |$)/y;
/** An element of the administrator's own. */
const KEY = /[A-Za-z_][\w.-]{0,31}=/y;
/** `192.0.2.55`, `192.0.2.55:1234`, `[2001:db8::1]:1234`. */
const PEER = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9a-fA-F:.]{2,45}?))(?::\d{1,5})?$/;

function isAt(pattern: RegExp, text: string, from: number): boolean {
  pattern.lastIndex = from;
  return pattern.test(text);
}

/** What the element from `from` to `to` is. `text` ends with the elements. */
export function kindOf(text: string, from: number, to: number): TokenKind {
  // 2.4 keeps the place of a last element that is empty: `lip=203.0.113.25, `.
  if (from === to) return "fixed";
  switch (text.charCodeAt(from)) {
    case 114: // r
      if (text.startsWith("rip=", from)) return addressAt(text, from + 4, to) ? "rip" : "other";
      return isAt(NUMBER, text, from) ? "fixed" : fallback(text, from);
    case 108: // l
      if (text.startsWith("lip=", from)) return addressAt(text, from + 4, to) ? "lip" : "other";
      return isAt(NUMBER, text, from) ? "fixed" : fallback(text, from);
    case 109: // m
      if (text.startsWith("method=", from)) return isAt(METHOD, text, from) ? "method" : "opener";
      return isAt(NUMBER, text, from) ? "fixed" : fallback(text, from);
    case 115: // s
      if (text.startsWith("session=", from)) return isAt(SESSION, text, from) ? "session" : "other";
      if (isAt(SECURED, text, from)) return "secured";
      return isAt(SERVICE, text, from) ? "fixed" : fallback(text, from);
    case 117: // u
      return text.startsWith("user=", from) ? "user" : fallback(text, from);
    case 40: // (
    case 83: // S
    case 84: // T
      if (isAt(SECURED, text, from)) return "secured";
      return isAt(SECURED_OPENER, text, from) ? "opener" : fallback(text, from);
    default:
      return isAt(NUMBER, text, from) ? "fixed" : fallback(text, from);
  }
}

function fallback(text: string, from: number): TokenKind {
  return isAt(KEY, text, from) ? "opener" : "other";
}

/** The address that an element's value is, with or without a port. */
export function addressAt(text: string, from: number, to: number): Address | undefined {
  if (to - from > 56) return undefined;
  const value = text.slice(from, to);
  const address = parseAddress(value);
  if (address !== undefined) return address;
  // rip=198.51.100.7,lip=203.0.113.25: some pages and programs take the space away.
  const comma = value.indexOf(",lip=");
  const peer = PEER.exec(comma < 0 ? value : value.slice(0, comma));
  return peer ? parseAddress(peer[1] ?? peer[2] ?? "") : undefined;
}
