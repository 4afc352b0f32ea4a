/**
 * Reads a database in MaxMind's format, version 2 (maxmind.github.io/MaxMind-DB): a binary tree over
 * the bits of an address, whose leaves point at values.
 */
import { wordsOf, type Address } from "../../../wire/address.ts";

export interface Mmdb {
  /** undefined: the database says nothing of this address. Throws where the file is broken. */
  find(address: Address): unknown;
}

const METADATA_START = Buffer.from("abcdef4d61784d696e642e636f6d", "hex"); // \xab\xcd\xefMaxMind.com
/** Zero bytes between the tree and the data. */
const SEPARATOR = 16;
/** An IPv4 address stands in a tree of IPv6 behind so many zero bits. */
const IPV4_DEPTH = 96;
/** Values hold values: a file that points in a circle ends here. */
const DEEPEST = 32;

/** Throws for what is no such database. */
export function openMmdb(file: Buffer): Mmdb {
  const start = file.lastIndexOf(METADATA_START);
  if (start < 0) throw new Error("expected a database in MaxMind's format");
  const metadata = asRecord(readValue(file, start + METADATA_START.length, 0).value);
  const nodes = Number(metadata["node_count"]);
  const bits = Number(metadata["record_size"]);
  const version = Number(metadata["ip_version"]);
  const treeBytes = (nodes * bits) / 4;
  if (![24, 28, 32].includes(bits) || !Number.isSafeInteger(nodes) || treeBytes > start) {
    throw new Error(`expected records of 24, 28 or 32 bits, got ${bits} (${nodes} nodes)`);
  }
  const tree = file.subarray(0, treeBytes);
  const data = file.subarray(treeBytes + SEPARATOR, start);

  return {
    find(address) {
      const isIpv6 = address.includes(":");
      if (isIpv6 && version === 4) return undefined;
      const path = bitsOf(address);
      if (!isIpv6 && version === 6) path.unshift(...new Array<number>(IPV4_DEPTH).fill(0));
      let node = 0;
      for (const bit of path) {
        if (node >= nodes) break;
        node = readRecord(tree, node, bit, bits);
      }
      // The number of nodes itself: there is nothing.
      return node <= nodes ? undefined : readValue(data, node - nodes - SEPARATOR, 0).value;
    },
  };
}

function bitsOf(address: Address): number[] {
  return wordsOf(address).flatMap((word) =>
    Array.from({ length: 16 }, (_each, at) => (word >> (15 - at)) & 1),
  );
}

/** The left (0) or right (1) record of a node. */
function readRecord(tree: Buffer, node: number, side: number, bits: number): number {
  const at = (node * bits) / 4;
  if (bits !== 28) return tree.readUIntBE(at + (side * bits) / 8, bits / 8);
  // Both records share the byte in the middle: its upper half belongs to the left one.
  const middle = tree.readUInt8(at + 3);
  const high = side === 0 ? middle >> 4 : middle & 0x0f;
  return high * 0x1000000 + tree.readUIntBE(at + side * 4, 3);
}

const [POINTER, STRING, DOUBLE, BYTES, UINT16, UINT32, MAP] = [1, 2, 3, 4, 5, 6, 7];
const [INT32, UINT64, UINT128, ARRAY, BOOLEAN, FLOAT] = [8, 9, 10, 11, 14, 15];

interface Read {
  value: unknown;
  /** Where the next value begins. */
  next: number;
}

function readValue(data: Buffer, at: number, depth: number): Read {
  if (depth > DEEPEST) throw new Error("the database is broken: its values have no end");
  const control = data.readUInt8(at);
  let type = control >> 5;
  if (type === POINTER) {
    const { value: target, next } = readPointer(data, at, control);
    return { value: readValue(data, target, depth + 1).value, next };
  }
  let next = at + 1;
  if (type === 0) {
    type = 7 + data.readUInt8(next);
    next += 1;
  }
  const length = readLength(data, next, control & 0x1f);
  return readContent(data, { type, at: length.next, size: length.value, depth });
}

function readPointer(data: Buffer, at: number, control: number): { value: number; next: number } {
  const bytes = ((control >> 3) & 3) + 1;
  const low = data.readUIntBE(at + 1, bytes);
  const high = control & 7;
  // Longer pointers begin where shorter ones end.
  const offsets = [0, 2048, 526_336, 0];
  const value = bytes === 4 ? low : high * 2 ** (8 * bytes) + low + (offsets[bytes - 1] ?? 0);
  return { value, next: at + 1 + bytes };
}

function readLength(data: Buffer, at: number, short: number): { value: number; next: number } {
  if (short < 29) return { value: short, next: at };
  const bytes = short - 28;
  const base = [29, 285, 65_821][bytes - 1] ?? 0;
  return { value: base + data.readUIntBE(at, bytes), next: at + bytes };
}

interface Content {
  type: number;
  at: number;
  /** Bytes; of a map its pairs, of an array its items, of a boolean its value. */
  size: number;
  depth: number;
}

function readContent(data: Buffer, { type, at, size, depth }: Content): Read {
  const next = at + size;
  switch (type) {
    case STRING:
      return { value: data.toString("utf8", at, next), next };
    case MAP:
      return readMap(data, at, size, depth);
    case ARRAY:
      return readArray(data, at, size, depth);
    case BOOLEAN:
      return { value: size !== 0, next: at };
    case UINT16:
    case UINT32:
      return { value: size === 0 ? 0 : data.readUIntBE(at, size), next };
    case INT32:
    case UINT64:
    case UINT128:
    case DOUBLE:
    case FLOAT:
    case BYTES:
      return { value: undefined, next }; // nothing that is shown
    default:
      throw new Error(`the database is broken: there is no type ${type}`);
  }
}

function readMap(data: Buffer, start: number, size: number, depth: number): Read {
  const entries: [string, unknown][] = [];
  let at = start;
  for (let count = 0; count < size; count += 1) {
    const key = readValue(data, at, depth + 1);
    const inner = readValue(data, key.next, depth + 1);
    entries.push([String(key.value), inner.value]);
    at = inner.next;
  }
  return { value: Object.fromEntries(entries), next: at };
}

function readArray(data: Buffer, start: number, size: number, depth: number): Read {
  const items: unknown[] = [];
  let at = start;
  for (let count = 0; count < size; count += 1) {
    const inner = readValue(data, at, depth + 1);
    items.push(inner.value);
    at = inner.next;
  }
  return { value: items, next: at };
}

function asRecord(value: unknown): Record<string, unknown> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isRecord) throw new Error("expected a database in MaxMind's format");
  return value as Record<string, unknown>;
}
