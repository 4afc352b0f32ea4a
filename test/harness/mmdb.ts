/** Writes a database in MaxMind's format (maxmind.github.io/MaxMind-DB) for a test. */
import { writeFile } from "node:fs/promises";
import { parseNetwork, wordsOf } from "../../services/wire/address.ts";

type Value = string | number | readonly string[] | { readonly [key: string]: Value };

const METADATA_START = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from("MaxMind.com")]);
const [STRING, MAP, UINT32, ARRAY] = [2, 7, 6, 11];

export interface MmdbOptions {
  recordSize?: 24 | 28 | 32;
  /** 6: IPv4 networks stand behind 96 zero bits. */
  version?: 4 | 6;
}

/** `network` is "198.51.100.0/24" or "2001:db8::/32". */
export const writeMmdb = (
  path: string,
  network: string,
  value: Value,
  options: MmdbOptions = {},
): Promise<void> => writeMmdbOf(path, [[network, value]], options);

/** A node of the tree: what stands behind 0 and behind 1. */
type Branch = Node | { value: Value } | undefined;
type Node = [Branch, Branch];

/** Several networks, none of which is within another one. */
export async function writeMmdbOf(
  path: string,
  entries: readonly (readonly [network: string, value: Value])[],
  { recordSize = 24, version = 4 }: MmdbOptions = {},
): Promise<void> {
  const root: Node = [undefined, undefined];
  const nodes: Node[] = [root];
  for (const [network, value] of entries) {
    const bits = bitsOf(network, version);
    let node = root;
    for (const bit of bits.slice(0, -1)) {
      const branch = node[bit];
      const next: Node = Array.isArray(branch) ? branch : [undefined, undefined];
      if (next !== branch) nodes.push(next);
      node[bit] = next;
      node = next;
    }
    node[bits.at(-1)!] = { value };
  }
  const data: Buffer[] = [];
  let offset = 0;
  /** One more than the last node: there is nothing. Data begin 16 behind that. */
  const pointerTo = (branch: Branch): number => {
    if (branch === undefined) return nodes.length;
    if (Array.isArray(branch)) return nodes.indexOf(branch);
    const bytes = encode(branch.value);
    data.push(bytes);
    offset += bytes.length;
    return nodes.length + 16 + offset - bytes.length;
  };
  const tree = nodes.map(([left, right]) =>
    encodeNode(pointerTo(left), pointerTo(right), recordSize),
  );
  const metadata = encode({
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1 },
    ...{ database_type: "Test", description: { en: "test" }, languages: ["en"] },
    ...{ node_count: nodes.length, record_size: recordSize, ip_version: version },
  });
  await writeFile(
    path,
    Buffer.concat([...tree, Buffer.alloc(16), ...data, METADATA_START, metadata]),
  );
}

function bitsOf(network: string, version: 4 | 6): (0 | 1)[] {
  const [base = "", bits = ""] = network.split("/");
  const own = wordsOf(parseNetwork(base)!).flatMap((word) =>
    Array.from({ length: 16 }, (_each, at): 0 | 1 => ((word >> (15 - at)) & 1 ? 1 : 0)),
  );
  const before = version === 6 && !base.includes(":") ? new Array<0>(96).fill(0) : [];
  return [...before, ...own.slice(0, Number(bits))];
}

function encodeNode(left: number, right: number, recordSize: number): Buffer {
  const node = Buffer.alloc(recordSize / 4);
  if (recordSize === 28) {
    node.writeUIntBE(left & 0xffffff, 0, 3);
    node.writeUInt8(((left >> 24) << 4) | (right >> 24), 3);
    node.writeUIntBE(right & 0xffffff, 4, 3);
  } else {
    node.writeUIntBE(left, 0, recordSize / 8);
    node.writeUIntBE(right, recordSize / 8, recordSize / 8);
  }
  return node;
}

function encode(value: Value): Buffer {
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([control(STRING, text.length), text]);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(UINT32, 4), bytes]);
  }
  if (Array.isArray(value)) {
    const items = value as readonly string[];
    return Buffer.concat([control(ARRAY, items.length), ...items.map(encode)]);
  }
  const entries = Object.entries(value);
  const pairs = entries.flatMap(([key, each]) => [encode(key), encode(each)]);
  return Buffer.concat([control(MAP, entries.length), ...pairs]);
}

/** Sizes up to 28 only. */
function control(type: number, size: number): Buffer {
  return type > 7 ? Buffer.from([size, type - 7]) : Buffer.from([(type << 5) | size]);
}
