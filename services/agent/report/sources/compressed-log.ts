/**
 * A rotated log that was compressed before all of it was read. It does not change any more; what
 * was read of it before is decompressed again and passed over, in bounded memory.
 */
import { createReadStream, fstatSync, openSync, readSync } from "node:fs";
import { createGunzip } from "node:zlib";
import { fingerprintOf, readCompressedHead } from "./fingerprint.ts";
import type { LogFile } from "./log-file.ts";
import type { SourceOptions } from "./source.ts";
import { NOTHING, WholeLines } from "./whole-lines.ts";

const CHUNK_BYTES = 65_536;

/** Opens `path` behind the first `offset` bytes of what is compressed in it. Throws where it may not be read. */
export function openCompressedLog(
  path: string,
  offset: number,
  { onOverlong, onGap }: Pick<SourceOptions<never>, "onOverlong" | "onGap">,
): LogFile {
  const descriptor = openSync(path, "r");
  const stats = fstatSync(descriptor);
  const head = readCompressedHead(descriptor);
  const size = readSize(descriptor, stats.size);
  const input = createReadStream("", { fd: descriptor, start: 0 });
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  input.on("error", (error) => gunzip.destroy(error));
  gunzip.on("error", () => {}); // who takes hears of it
  const chunks = input.pipe(gunzip)[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  const lines = new WholeLines(offset, onOverlong);
  let toSkip = offset;
  let hasEnded = false;

  async function next(): Promise<Buffer | undefined> {
    try {
      const { value } = await chunks.next();
      return value;
    } catch (error) {
      onGap(`${path} cannot be decompressed to its end: ${String(error)}`);
      return undefined;
    }
  }

  async function take(): Promise<Buffer> {
    while (!hasEnded) {
      const whole = lines.take();
      if (whole) return whole;
      const chunk = await next();
      if (chunk === undefined) {
        hasEnded = true;
        break;
      }
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      lines.add(chunk.subarray(skipped));
    }
    return NOTHING;
  }

  return {
    device: stats.dev,
    inode: stats.ino,
    offset: () => lines.taken,
    size: () => Math.max(size, lines.taken),
    modifiedAt: () => stats.mtimeMs, // gzip keeps that of the log
    take,
    isIntact: () => true,
    fingerprint: () => fingerprintOf(head.subarray(0, lines.taken)),
    close() {
      input.destroy(); // closes it, after what it is reading
      gunzip.destroy();
    },
  };
}

/** gzip's last four bytes are the size of what it compressed, modulo 2^32. */
function readSize(descriptor: number, compressed: number): number {
  const bytes = Buffer.alloc(4);
  const length = readSync(descriptor, bytes, 0, 4, Math.max(compressed - 4, 0));
  return length === 4 ? bytes.readUInt32LE(0) : 0;
}
