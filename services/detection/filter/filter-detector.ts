/**
 * Finds the failures that a custom filter describes: every line that matches is one, and
 * the ledger, which knows Dovecot's lines, has no part in it.
 */
import type { Detector } from "../dovecot-detector.ts";
import type { Failure } from "../attempts/failure.ts";
import { MAX_LINE_BYTES } from "../dovecot/read-line.ts";
import { emptyReading, type Reading } from "../dovecot/reading.ts";
import { LOCAL_LOG, type LogFacts } from "../lines/log-facts.ts";
import { LOCAL_ZONE, type Zone } from "../lines/zone.ts";
import type { Filter, Match } from "./filter.ts";
import { isLookedAtWhole } from "./looked-at.ts";
import { openLine, type OpenedLine } from "./open-line.ts";
import { runThrough, type Steps } from "./steps.ts";

const NEWLINE = 10;
/** Two characters at most, such as a bracket, stand before a date at the beginning of a line. */
const MOST_BEFORE_DATE = 2;

export function createFilterDetector(filter: Filter, log: LogFacts = LOCAL_LOG): Detector {
  let overlong = 0;
  let shortened = 0;

  function* feedInSteps(chunk: Buffer, position: number, receivedAt: number): Steps<Failure[]> {
    const failures: Failure[] = [];
    for (let start = 0; start < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.length : newline;
      if (end - start > MAX_LINE_BYTES) overlong += 1;
      else {
        yield;
        const line = chunk.toString("utf8", start, end);
        const opened = openLine(line, { receivedAt, zone: log.zone }, filter.findDate);
        if (!isLookedAtWhole(opened.text)) shortened += 1;
        const reading = readingOf(opened, yield* filter.matching(opened.text));
        const failure = countFiltered(reading, receivedAt, position + end + 1);
        if (failure) failures.push(failure);
      }
      start = end + 1;
    }
    return failures;
  }

  return {
    feed: (chunk, position, receivedAt) => runThrough(feedInSteps(chunk, position, receivedAt)),
    feedInSteps,
    writtenAt(line, receivedAt) {
      const clock = { receivedAt, zone: log.zone };
      if (line.startsWith("{")) return openLine(line, clock, filter.findDate).written;
      // What stands before a date further on may be anybody's, and so may the date.
      const date = filter.findDate(line, clock);
      return date && date.from <= MOST_BEFORE_DATE ? date : undefined;
    },
    get overlong() {
      return overlong;
    },
    get shortened() {
      return shortened;
    },
  };
}

/** What a line of any log says to a filter. */
export function readFiltered(
  line: string,
  filter: Filter,
  receivedAt: number,
  zone: Zone = LOCAL_ZONE,
): Reading {
  const opened = openLine(line, { receivedAt, zone }, filter.findDate);
  return readingOf(opened, filter.match(opened.text));
}

function readingOf({ written, repeat }: OpenedLine, match: Match | undefined): Reading {
  const reading = emptyReading(match ? `failregex-${match.rule}` : null);
  reading.at = written?.at;
  reading.hasZone = written?.hasZone ?? false;
  if (!match) return reading;
  reading.verdict = "failure";
  reading.address = match.address;
  reading.user = match.user;
  reading.attempts = 1;
  reading.repeat = repeat;
  return reading;
}

/** The failure that such a line counts for. */
export function countFiltered(
  reading: Reading,
  receivedAt: number,
  position = 0,
): Failure | undefined {
  const { address, at = receivedAt, repeat: attempts, user, service, session, form } = reading;
  if (address === undefined || form === null) return undefined;
  return { address, at, attempts, form, user, service, session, position, provisional: undefined };
}
