/** Addresses and networks as somebody types them; the coordinator's parser has the last word. */

const BYTE = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = new RegExp(`^(?:${BYTE}\\.){3}${BYTE}(?:/(\\d{1,2}))?$`);

/**
 * The text in its canonical spelling as far as the browser can tell; undefined when it is no
 * address. `URL` knows how IPv6 is spelled (RFC 5952).
 */
export function parseAddress(given: string): string | undefined {
  const text = given.trim().toLowerCase();
  const v4 = IPV4.exec(text);
  if (v4) return v4[1] === undefined ? text : networkV4(text, Number(v4[1]));
  const [base = "", bits, ...rest] = text.split("/");
  if (!base.includes(":") || rest.length > 0 || !/^[0-9a-f:.]+$/.test(base)) return undefined;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > 128)) return undefined;
  const words = wordsV6(base);
  if (!words) return undefined;
  if (bits === undefined || Number(bits) === 128) return mappedV4(words) ?? spellV6(words);
  const prefix = Number(bits);
  const masked = words.map((word, index) => {
    const kept = Math.min(Math.max(prefix - index * 16, 0), 16);
    return word & (0xffff << (16 - kept)) & 0xffff;
  });
  return `${spellV6(masked)}/${prefix}`;
}

export const isNetwork = (address: string): boolean => address.includes("/");

/** How many bits of the network are fixed. */
export function prefixOf(address: string): number {
  const [base = "", bits] = address.split("/");
  return bits === undefined ? (base.includes(":") ? 128 : 32) : Number(bits);
}

/** "256 addresses", "2^64 addresses". */
export function sizeOf(address: string): string {
  const bits = (address.includes(":") ? 128 : 32) - prefixOf(address);
  if (bits === 0) return "1 address";
  return bits <= 32 ? `${(2 ** bits).toLocaleString("en-GB")} addresses` : `2^${bits} addresses`;
}

function networkV4(text: string, prefix: number): string | undefined {
  if (prefix > 32) return undefined;
  const [base = ""] = text.split("/");
  if (prefix === 32) return base;
  const bits = base.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - prefix);
  const masked = Math.floor(bits / size) * size;
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256);
  return `${bytes.join(".")}/${prefix}`;
}

function wordsV6(text: string): number[] | undefined {
  let host: string;
  try {
    host = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
  const [head = "", tail] = host.split("::");
  const groups = (part: string) =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const left = groups(head);
  const right = groups(tail ?? "");
  const missing = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...new Array<number>(missing).fill(0), ...right];
}

/** An IPv4 client of a socket for both families is an IPv4 address. */
function mappedV4(words: readonly number[]): string | undefined {
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  return isMapped ? dotted(words) : undefined;
}

/** Of addresses in ::/96 the coordinator spells the end as IPv4. */
function spellV6(words: readonly number[]): string {
  const isCompatible = words.slice(0, 6).every((word) => word === 0) && words[6] !== 0;
  if (isCompatible) return `::${dotted(words)}`;
  const groups = words.map((word) => word.toString(16)).join(":");
  return new URL(`http://[${groups}]/`).hostname.slice(1, -1);
}

/** The last 32 bits as IPv4 spells them. */
function dotted(words: readonly number[]): string {
  const [high = 0, low = 0] = words.slice(6);
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
