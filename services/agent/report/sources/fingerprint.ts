/** How a log begins, compressed or not: by that it is known under another name. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { constants, gunzipSync } from "node:zlib";
import { isCompressed } from "./siblings.ts";

/** An inode's number is used again, and a file can be truncated. */
export interface Fingerprint {
  length: number;
  hash: string;
}

export const FINGERPRINT_BYTES = 256;
/** This many compressed bytes hold more than the first 256 of the file, and at most some 4 MB. */
const COMPRESSED_BYTES = 4_096;

export function fingerprintOf(head: Buffer): Fingerprint {
  const hash = createHash("sha256").update(head).digest("hex").slice(0, 16);
  return { length: head.length, hash };
}

/** Does the file at `path` still begin as it did? */
export function hasFingerprint(path: string, { length, hash }: Fingerprint): boolean {
  const descriptor = openSync(path, "r");
  try {
    const head = isCompressed(path)
      ? readCompressedHead(descriptor).subarray(0, length)
      : readHead(descriptor, length);
    return fingerprintOf(head).hash === hash;
  } finally {
    closeSync(descriptor);
  }
}

/** The first bytes of a file, at most `length` and 256. */
export function readHead(descriptor: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.min(length, FINGERPRINT_BYTES));
  return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
}

/** The first bytes of what is compressed; none where it is not gzip. */
export function readCompressedHead(descriptor: number): Buffer {
  const bytes = Buffer.alloc(COMPRESSED_BYTES);
  const length = readSync(descriptor, bytes, 0, bytes.length, 0);
  try {
    // Z_SYNC_FLUSH: the file goes on behind what was read.
    const head = gunzipSync(bytes.subarray(0, length), { finishFlush: constants.Z_SYNC_FLUSH });
    return head.subarray(0, FINGERPRINT_BYTES);
  } catch {
    return Buffer.alloc(0);
  }
}
