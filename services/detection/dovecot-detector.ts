/**
 * Finds failures in chunks of a log, quickly: most lines of a mail log are none of
 * ours, and only lines that hold one of a few fixed texts are looked at.
 */
import { isAscii } from "node:buffer";
import { countLine } from "./attempts/count-line.ts";
import type { Failure } from "./attempts/failure.ts";
import type { Ledger } from "./attempts/attempt-ledger.ts";
import { openEnvelope } from "./lines/envelope.ts";
import { detached } from "./lines/detached.ts";
import type { Steps } from "./filter/steps.ts";
import type { WrittenAt } from "./lines/timestamp.ts";
import { LOCAL_LOG, type LogFacts } from "./lines/log-facts.ts";
import { MAX_LINE_BYTES } from "./dovecot/read-line.ts";
import type { Reading } from "./dovecot/reading.ts";
import { readNextLine } from "./repeated-line.ts";

export interface Detector {
  /**
   * Feeds whole lines, each ended by \n, of any bytes. `position` is that of the
   * chunk's first byte in its source; `receivedAt` (epoch milliseconds) is the time of
   * lines without a stamp, and tells the year of others.
   */
  feed(chunk: Buffer, position: number, receivedAt: number): Failure[];
  /** The same in steps, for filters take their time; undefined: `feed` is quick. */
  readonly feedInSteps?: (chunk: Buffer, position: number, receivedAt: number) => Steps<Failure[]>;
  /** When a line was written, by its own stamp. */
  writtenAt(line: string, receivedAt: number): WrittenAt | undefined;
  /** Lines that were too long to be looked at. */
  readonly overlong: number;
  /** Lines of which a filter has looked at the beginning and the end alone. */
  readonly shortened?: number;
}

export interface DetectorOptions {
  /** Names the source to the ledger, which several may share. */
  source: string;
  ledger: Ledger;
  /** Hears of a line that looks like an attempt and is not understood. */
  onUnrecognized?: ((line: string) => void) | undefined;
  /** Hears of every line that is looked at. */
  onReading?: ((reading: Reading) => void) | undefined;
  /** Left out: what a log of this machine is like. */
  log?: LogFacts;
}

/**
 * Every line that matters holds one of these, whatever surrounds it. One expression finds
 * them in half of the time that indexOf takes for each; it never looks back.
 */
const MARK = /rip=|rhost=|repeated [\dt]|auth(?:: |\(|-worker)|"MESSAGE" ?: ?\[/g;

const NEWLINE = 10;

export function createDetector(options: DetectorOptions): Detector {
  const { source, ledger, onUnrecognized, onReading, log = LOCAL_LOG } = options;
  let overlong = 0;
  /** The last line that was read, and where it ended: the next one may only say "again". */
  let last: { reading: Reading; end: number } | undefined;
  ledger.join(source);

  return {
    feed(chunk, position, receivedAt) {
      const failures: Failure[] = [];
      // One character a byte: an index in it is an index in the chunk.
      const text = chunk.toString("latin1");
      const isText = isAscii(chunk); // so that its lines need no decoding of their own
      MARK.lastIndex = 0;
      while (MARK.test(text)) {
        const at = MARK.lastIndex;
        const start = chunk.lastIndexOf(NEWLINE, at - 1) + 1;
        const newline = text.indexOf("\n", at);
        const end = newline < 0 ? chunk.length : newline;
        if (end - start > MAX_LINE_BYTES) overlong += 1;
        else {
          const line = isText ? text.slice(start, end) : chunk.toString("utf8", start, end);
          const before = last?.end === position + start ? last.reading : undefined;
          const reading = readNextLine(line, before, receivedAt, log);
          last = { reading, end: position + end + 1 };
          if (reading.isUnrecognized) onUnrecognized?.(detached(line));
          onReading?.(reading);
          const failure = countLine(reading, ledger, source, receivedAt, position + end + 1);
          if (failure) failures.push(failure);
        }
        MARK.lastIndex = end;
      }
      return failures;
    },
    writtenAt: (line, receivedAt) =>
      openEnvelope(line, { receivedAt, zone: log.zone }, log).written,
    get overlong() {
      return overlong;
    },
  };
}
