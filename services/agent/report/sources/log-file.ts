/** One log file that is open, and the lines read from it so far. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { FINGERPRINT_BYTES, fingerprintOf, readHead, type Fingerprint } from "./fingerprint.ts";
import { isErrno } from "../../../process/file-error.ts";

export interface LogFile {
  readonly device: number;
  readonly inode: number;
  /** Bytes taken: up to the end of the last whole line. */
  offset(): number;
  size(): number;
  /** When it was written to last, epoch milliseconds. */
  modifiedAt(): number;
  /** Whole lines that follow, at most some 256 kB, valid until the next call; empty: none yet. */
  take(): Buffer | Promise<Buffer>;
  /** Does it still hold what was taken? Not after it was truncated. */
  isIntact(): boolean;
  fingerprint(): Fingerprint;
  close(): void;
}

const CHUNK_BYTES = 262_144;
/** A longer line is skipped. */
export const MAX_LINE_BYTES = 1_048_576;
const NEWLINE = 10;

/**
 * Opens `path` at `offset`; undefined when there is no such file. `onOverlong`: a line was
 * skipped. Throws when it may not be read, or is no file.
 */
export function openLogFile(
  path: string,
  offset: number,
  onOverlong: () => void,
): LogFile | undefined {
  const descriptor = openIfThere(path);
  if (descriptor === undefined) return undefined;
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) {
    closeSync(descriptor);
    throw new Error(`${path}: is no file, expected a log file`);
  }
  let taken = offset;
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  /** Its first bytes, as far as they were taken. */
  let head = readHead(descriptor, offset);

  /** Skips a line that does not end within the limit; one without an end waits for it. */
  const skipOverlong = (): boolean => {
    for (let at = taken; ;) {
      const length = readSync(descriptor, chunk, 0, chunk.length, at);
      if (length === 0) return false;
      const newline = chunk.subarray(0, length).indexOf(NEWLINE);
      if (newline >= 0) {
        taken = at + newline + 1;
        onOverlong();
        return true;
      }
      at += length;
    }
  };

  const take = (): Buffer => {
    const length = readSync(descriptor, chunk, 0, chunk.length, taken);
    const end = chunk.subarray(0, length).lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      taken += end;
      if (head.length < FINGERPRINT_BYTES) head = readHead(descriptor, taken);
      return chunk.subarray(0, end);
    }
    if (length < chunk.length) return chunk.subarray(0, 0);
    if (chunk.length < MAX_LINE_BYTES) chunk = Buffer.allocUnsafe(chunk.length * 2);
    else if (!skipOverlong()) return chunk.subarray(0, 0);
    return take();
  };

  return {
    device: stats.dev,
    inode: stats.ino,
    offset: () => taken,
    size: () => fstatSync(descriptor).size,
    modifiedAt: () => fstatSync(descriptor).mtimeMs,
    take,
    isIntact: () =>
      fstatSync(descriptor).size >= taken && readHead(descriptor, head.length).equals(head),
    fingerprint: () => fingerprintOf(head),
    close: () => closeSync(descriptor),
  };
}

/** undefined: there is no such file. */
function openIfThere(path: string): number | undefined {
  try {
    // A named pipe would keep the whole process waiting for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
