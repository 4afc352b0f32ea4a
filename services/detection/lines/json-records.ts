/**
 * Several JSON records in one line, which the envelope does not open because a line is one message.
 *
 *   {"log":"...","stream":"stderr"}{"log":"...","stream":"stderr"}     Docker, after a crash
 *   [{"log":"..."},{"log":"..."}]; [[1772507106.7,{"log":"..."}],[1772507107.1,{"log":"..."}]]
 *   {"streams":[{"stream":{"container":"dovecot"},"values":[["1772507106784598000","..."],...]}]}
 */
import { isFields, parseJson } from "./json-fields.ts";

const MAX_RECORDS = 64;
/** Of records that are not whole, so many beginnings are tried. */
const MAX_TRIES = 2;

/** The records, each as a line of its own; none where `text` is one record, or no JSON. */
export function splitRecords(text: string): string[] {
  if (!text.startsWith("{") && !text.startsWith("[")) return [];
  const value = parseJson(text);
  if (value === undefined) return findRecords(text);
  const records = Array.isArray(value) ? (value as unknown[]) : pushedRecords(value);
  if (records.length < 2) return [];
  return records.slice(0, MAX_RECORDS).map((record) => JSON.stringify(record));
}

/** Every value that is pushed to Loki, as a push of its own. */
function pushedRecords(value: unknown): unknown[] {
  const streams = isFields(value) ? value["streams"] : undefined;
  if (!Array.isArray(streams)) return [];
  return (streams as unknown[]).filter(isFields).flatMap(({ stream, values }) => {
    const pushed = Array.isArray(values) ? (values as unknown[]) : [];
    return pushed.map((pair) => ({ streams: [{ stream, values: [pair] }] }));
  });
}

/** Records one behind another. Of one that was cut off, the next one's beginning is looked for. */
function findRecords(text: string): string[] {
  const records: string[] = [];
  let from = text.indexOf('{"');
  for (let tries = 0; from >= 0 && tries < MAX_TRIES && records.length < MAX_RECORDS;) {
    const record = text.slice(from, endOfRecord(text, from));
    const isWhole = parseJson(record) !== undefined;
    if (isWhole) records.push(record);
    else tries += 1;
    from = text.indexOf('{"', from + (isWhole ? record.length : 1));
  }
  return records;
}

/** A string that is not closed reaches to the end, so that no character is looked at twice. */
const PARTS = /"(?:[^"\\]|\\[^]?)*(?:"|$)|[{}]/g;

/** Behind the brace that closes the one at `from`; the end of the text where none does. */
function endOfRecord(text: string, from: number): number {
  let depth = 0;
  PARTS.lastIndex = from;
  for (let part = PARTS.exec(text); part !== null; part = PARTS.exec(text)) {
    if (part[0] === "{") depth += 1;
    if (part[0] === "}") depth -= 1;
    if (depth === 0) return PARTS.lastIndex;
  }
  return text.length;
}
