/** Writes a database in MaxMind's format (maxmind.github.io/MaxMind-DB) with one IPv4 network. */
import { writeFile } from "node:fs/promises";

type Value = string | number | readonly string[] | { readonly [key: string]: Value };

const METADATA_START = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from("MaxMind.com")]);
const [STRING, MAP, UINT32, ARRAY] = [2, 7, 6, 11];

/** `network` is "198.51.100.0/24". */
export async function writeMmdb(path: string, network: string, value: Value): Promise<void> {
  const [base = "", bits = "32"] = network.split("/");
  const number = base.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const depth = Number(bits);
  const tree = Buffer.alloc(depth * 6);
  for (let level = 0; level < depth; level += 1) {
    const bit = (number >>> (31 - level)) & 1;
    // One more than the last node: there is nothing. Data begin 16 behind that.
    const next = level === depth - 1 ? depth + 16 : level + 1;
    tree.writeUIntBE(bit === 0 ? next : depth, level * 6, 3);
    tree.writeUIntBE(bit === 1 ? next : depth, level * 6 + 3, 3);
  }
  const metadata = encode({
    ...{ binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1 },
    ...{ database_type: "Test", description: { en: "test" }, ip_version: 4, languages: ["en"] },
    ...{ node_count: depth, record_size: 24 },
  });
  const parts = [tree, Buffer.alloc(16), encode(value), METADATA_START, metadata];
  await writeFile(path, Buffer.concat(parts));
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
