/**
 * IP addresses and networks as they cross the wire: one spelling for each.
 *
 * Two hosts that see the same attacker must name it the same way, or their
 * failures are never added up. So an address is parsed once, where it enters
 * the system, and an `Address` is canonical from then on: IPv6 compressed and in
 * lower case (RFC 5952), IPv4-mapped IPv6 as IPv4, a network with its host bits
 * zero, a network of one address as that address.
 */
import { isIPv6, SocketAddress } from "node:net";

/** A canonical address ("192.0.2.1", "2001:db8::1") or network ("192.0.2.0/24"). */
export type Address = string & { readonly canonical: unique symbol };

const BYTE = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = new RegExp(`^(?:${BYTE}\\.){3}${BYTE}$`);
/** Codes of characters. */
const [ZERO, DOT, SLASH] = [0x30, 0x2e, 0x2f];
/** That of node:net makes an array of what matched, for every line of a log. */
const isIPv4 = (text: string) => IPV4.test(text);

/** Returns the canonical spelling of one address, or undefined when `text` is none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address;
  const unscoped = text.includes("%") ? text.slice(0, text.indexOf("%")) : text;
  if (!isIPv6(unscoped)) return undefined;
  const { address } = new SocketAddress({ address: unscoped, family: "ipv6" });
  // Dovecot on a dual-stack socket logs IPv4 clients as ::ffff:192.0.2.1.
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  return (mapped ?? address) as Address;
}

/**
 * Returns the canonical spelling of an address or of a network in CIDR
 * notation, or undefined when `text` is neither. Host bits are cleared:
 * "192.0.2.7/24" is "192.0.2.0/24".
 */
export function parseNetwork(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address; // nearly always
  const [base = "", bits, ...rest] = text.split("/");
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0) return undefined;
  if (bits === undefined) return address;
  if (!/^\d{1,3}$/.test(bits)) return undefined;
  // A network of IPv4-mapped addresses: the mapping takes the first 96 bits.
  const isMapped = isIPv4(address) && !isIPv4(base);
  const prefix = Number(bits) - (isMapped ? 96 : 0);
  const width = isIPv4(address) ? 32 : 128;
  if (prefix < 0 || prefix > width) return undefined;
  if (prefix === width) return address;
  return `${spellWords(maskedWords(address, prefix))}/${prefix}` as Address;
}

/** The network of `prefix` bits around `address`; `address` itself where that is no wider. */
export function networkOf(address: Address, prefix: number): Address {
  if (prefixOf(address) <= prefix) return address;
  const words = maskedWords(address, prefix);
  // Where the second half is zero it is the longest run of zeros: "2001:db8:0:1::". It is spelled
  // here because a coordinator asks for every failure of an IPv6 address.
  const isPlain = words.length === 8 && prefix <= 64 && words[0] !== 0;
  if (!isPlain) return `${spellWords(words)}/${prefix}` as Address;
  let used = 4;
  while (words[used - 1] === 0) used -= 1;
  const head = words.slice(0, used).map((word) => word.toString(16));
  return `${head.join(":")}::/${prefix}` as Address;
}

/** The wider networks that hold `address`, the widest one first. */
export function networksAround(address: Address): Address[] {
  return Array.from({ length: prefixOf(address) }, (_, prefix) => networkOf(address, prefix));
}

/** The two networks that `network` consists of, the lower one first; none for a single address. */
export function halvesOf(network: Address): Address[] {
  if (!isNetwork(network)) return [];
  const prefix = prefixOf(network);
  const words = wordsOf(network);
  const upper = words.map((word, index) =>
    index === prefix >> 4 ? word | (0x8000 >> (prefix & 15)) : word,
  );
  const isWhole = prefix + 1 === words.length * 16;
  const end = isWhole ? "" : `/${prefix + 1}`;
  return [words, upper].map((half) => `${spellWords(half)}${end}` as Address);
}

function maskedWords(address: Address, prefix: number): number[] {
  return wordsOf(address).map((word, index) => {
    const kept = Math.min(Math.max(prefix - index * 16, 0), 16);
    return word & (0xffff << (16 - kept)) & 0xffff;
  });
}

export function isNetwork(address: Address): boolean {
  return address.includes("/");
}

/** 4 or 6. */
export function familyOf(address: Address): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** Bits of the network's prefix: 32 or 128 for a single address. */
export function prefixOf(address: Address): number {
  const slash = address.indexOf("/");
  if (slash < 0) return familyOf(address) === 4 ? 32 : 128;
  let prefix = 0;
  for (let index = slash + 1; index < address.length; index += 1) {
    prefix = prefix * 10 + address.charCodeAt(index) - ZERO;
  }
  return prefix;
}

/** Is every address of `inner` one of `outer` too? */
export function contains(outer: Address, inner: Address): boolean {
  return prefixOf(outer) <= prefixOf(inner) && overlaps(outer, inner);
}

/** As `contains(outer, inner)` of very many others: what is to be known of `outer` is found out once. */
export function createContains(outer: Address): (inner: Address) => boolean {
  if (familyOf(outer) === 6) return (inner) => contains(outer, inner);
  const prefix = prefixOf(outer);
  const headOf = (address: Address) => (prefix === 0 ? 0 : bitsOfIpv4(address) >>> (32 - prefix));
  const head = headOf(outer);
  return (inner) => familyOf(inner) === 4 && headOf(inner) === head && prefixOf(inner) >= prefix;
}

/** Have the two addresses or networks any address in common? */
export function overlaps(a: Address, b: Address): boolean {
  if (a === b) return true;
  // Two single addresses in canonical spelling; the usual case, and asked very often.
  if (!isNetwork(a) && !isNetwork(b)) return false;
  if (familyOf(a) !== familyOf(b)) return false;
  const bits = Math.min(prefixOf(a), prefixOf(b));
  if (familyOf(a) === 4) return bits === 0 || (bitsOfIpv4(a) ^ bitsOfIpv4(b)) >>> (32 - bits) === 0;
  const [left, right] = [wordsOf(a), wordsOf(b)];
  for (let index = 0, rest = bits; rest > 0; index += 1, rest -= 16) {
    const differing = ((left[index] ?? 0) ^ (right[index] ?? 0)) >> (16 - Math.min(rest, 16));
    if (differing !== 0) return false;
  }
  return true;
}

/**
 * Spells `address` as one token of a subject or of a KV key, where a dot
 * would start a new token and a colon is refused: 192-0-2-1, 2001-db8--1,
 * 192-0-2-0/24.
 */
export function addressToken(address: Address): string {
  return address.replace(/[.:]/g, "-");
}

/** The address that a token spells, or undefined when it spells none. */
export function addressOfToken(token: string): Address | undefined {
  const isIpv4 = /^\d+-\d+-\d+-\d+(?:\/\d+)?$/.test(token);
  return parseNetwork(token.replaceAll("-", isIpv4 ? "." : ":"));
}

/** The address as 16-bit words: 2 for IPv4, 8 for IPv6. */
export function wordsOf(address: Address): number[] {
  if (familyOf(address) === 4) {
    const bits = bitsOfIpv4(address);
    return [bits >>> 16, bits & 0xffff];
  }
  const [base = ""] = address.split("/");
  const [head = "", tail] = base.split("::");
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** Digit by digit: a network is compared with a million bans, and split() takes ten times as long. */
function bitsOfIpv4(address: Address): number {
  let bits = 0;
  let byte = 0;
  for (let index = 0; index < address.length; index += 1) {
    const character = address.charCodeAt(index);
    if (character === SLASH) break;
    if (character !== DOT) {
      byte = byte * 10 + character - ZERO;
      continue;
    }
    bits = (bits << 8) | byte;
    byte = 0;
  }
  return (bits << 8) | byte;
}

/** "db8:1:192.0.2.1" as words; inet_ntop spells some addresses with an IPv4 tail. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

function spellWords(words: readonly number[]): string {
  if (words.length === 2) return words.flatMap((word) => [word >> 8, word & 255]).join(".");
  return parseAddress(words.map((word) => word.toString(16)).join(":")) ?? "";
}
