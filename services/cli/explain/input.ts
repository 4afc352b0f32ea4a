/**
 * Lines of log files, compressed or not, of stdin, or of several files as one log.
 *
 * Lines end with \n and nothing else: some of Dovecot's hold U+2028.
 */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { failureOf } from "../../process/child-failure.ts";
import { journalArguments } from "../../process/journal.ts";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError } from "../../process/file-error.ts";
import type { Reading } from "../../detection/dovecot/reading.ts";
import { readNextLine } from "../../detection/repeated-line.ts";

export interface InputLine {
  /** As it was named; "-" for stdin. */
  file: string;
  /** From 1. */
  number: number;
  text: string;
  reading: Reading;
}

/** The reading of one line; `before` is the reading of the line in front of it, if there is one. */
export type Read = (line: string, receivedAt: number, before: Reading | undefined) => Reading;

const readDovecot: Read = (line, receivedAt, before) => readNextLine(line, before, receivedAt);

export interface ReadOptions {
  /** Preset: Dovecot's own lines. */
  read?: Read | undefined;
  onBytes?: ((count: number) => void) | undefined;
}

/** The text behind this length is cut: no line that counts is longer. */
const MAX_LINE_BYTES = 1_048_576;
const NEWLINE = 10;

/** Reads one file; `receivedAt` of stamps without a year is when it was last written to. */
export async function* readFileLines(
  file: string,
  { read, onBytes }: ReadOptions = {},
): AsyncGenerator<InputLine> {
  try {
    const handle = await open(file); // says at once why not
    const { mtimeMs } = await handle.stat();
    const stream = createReadStream("", { fd: handle });
    const chunks = onBytes ? measured(stream, onBytes) : stream;
    yield* readLines(file, chunks, mtimeMs, read);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Tells how much has been read of a file, as it is on the disk. */
async function* measured(
  stream: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    onBytes(chunk.length);
    yield chunk;
  }
}

/** Every entry of a unit in this machine's journal. */
export async function* readJournalLines(
  unit: string,
  receivedAt: number,
  read?: Read,
): AsyncGenerator<InputLine> {
  const args = journalArguments({ unit }, []);
  const child = spawn("journalctl", args, { stdio: ["ignore", "pipe", "inherit"] });
  const failed = failureOf(child);
  try {
    const lines = readLines(unit, child.stdout, receivedAt, read);
    for (;;) {
      const next = await Promise.race([lines.next(), failed]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    child.kill();
  }
}

export async function* readLines(
  file: string,
  stream: AsyncIterable<Buffer>,
  receivedAt: number,
  read: Read = readDovecot,
): AsyncGenerator<InputLine> {
  let number = 0;
  let rest = Buffer.alloc(0);
  let before: Reading | undefined;
  const line = (bytes: Buffer): InputLine => {
    number += 1;
    const text = bytes.toString("utf8", 0, MAX_LINE_BYTES);
    before = read(text, receivedAt, before);
    return { file, number, text, reading: before };
  };
  for await (const chunk of decompressed(stream)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const piece = chunk.subarray(from, at);
      yield line(rest.length === 0 ? piece : Buffer.concat([rest, piece]));
      rest = Buffer.alloc(0);
      from = at + 1;
    }
    if (from < chunk.length && rest.length < MAX_LINE_BYTES) {
      rest = Buffer.concat([rest, chunk.subarray(from)]);
    }
  }
  if (rest.length > 0) yield line(rest);
}

/** gzip tells itself by its first two bytes. */
async function* decompressed(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = stream[Symbol.asyncIterator]();
  const { value: first } = (await chunks.next()) as IteratorResult<Buffer, undefined>;
  if (first === undefined) return;
  const all = async function* () {
    yield first;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  if (first[0] !== 0x1f || first[1] !== 0x8b) yield* all();
  else yield* Readable.from(all()).pipe(createGunzip()) as AsyncIterable<Buffer>;
}

/** Several logs as one, by the time that each line was written. */
export async function* mergeByTime(
  inputs: readonly AsyncGenerator<InputLine>[],
): AsyncGenerator<InputLine> {
  const heads: { line: InputLine; at: number; rest: AsyncGenerator<InputLine> }[] = [];
  for (const rest of inputs) {
    const { value } = (await rest.next()) as IteratorResult<InputLine, undefined>;
    if (value) heads.push({ line: value, at: value.reading.at ?? -Infinity, rest });
  }
  for (;;) {
    let [first] = heads;
    if (first === undefined) return;
    for (const head of heads) if (head.at < first.at) first = head;
    yield first.line;
    const { value } = (await first.rest.next()) as IteratorResult<InputLine, undefined>;
    if (!value) heads.splice(heads.indexOf(first), 1);
    else {
      first.line = value;
      first.at = Math.max(first.at, value.reading.at ?? -Infinity); // without a stamp: follows
    }
  }
}

/** mail.log.1 and mail.log-20260303.gz are parts of one source, mail.log. */
export function sourceOf(file: string): string {
  return file.replace(/(?:\.\d{1,4}|-\d{8})?(?:\.gz)?$/, "");
}

/** The error of a file that cannot be read, for the user; any other as it is. */
export function unreadable(where: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || (syscall === undefined && !code.startsWith("Z_"))) return error;
  return new PlainError(`${where}: cannot be read: ${explainFileError(error)}`, EXIT.noInput, {
    cause: error,
  });
}
