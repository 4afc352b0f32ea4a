/**
 * Several JSON records in one line, which the envelope does not open because a line is one message.
 *
 *   {"log":"...","stream":"stderr"}{"log":"...","stream":"stderr"}     Docker, after a crash
 *   [{"log":"..."},{"log":"..."}]; [[1772507106.7,{"log":"..."}],[1772507107.1,{"log":"..."}]]
 *   {"streams":[{"stream":{"container":"dovecot"},"values":[["1772507106784598000","..."],...]}]}
 */
import { endOfJson } from "./json-end.ts";
import { isFields, parseJson, readRecord, type Fields } from "./json-fields.ts";

/** fleetban looks at no further records of a line. */
const MAX_RECORDS = 64;
/** At most two records that are not whole are tried: each costs one walk over the text. */
const MAX_TRIES = 2;

/** The parsed records; none where `text` is one record, or no JSON. */
export function splitRecords(text: string): readonly unknown[] {
  if (text.startsWith('{"streams"')) return pushedRecords(parseJson(text));
  if (text.startsWith("[")) {
    const value = parseJson(text);
    if (Array.isArray(value)) return value.length < 2 ? [] : value.slice(0, MAX_RECORDS);
  }
  return text.startsWith("[") || text.startsWith("{") ? findRecords(text) : [];
}

/** Every value that is pushed to Loki, as a record of its own. */
function pushedRecords(value: unknown): unknown[] {
  const streams = isFields(value) ? value["streams"] : undefined;
  if (!Array.isArray(streams)) return [];
  const records = (streams as unknown[]).filter(isFields).flatMap(valuesOf);
  return records.length < 2 ? [] : records.slice(0, MAX_RECORDS);
}

/** Labels may be many, and stand for all values of a stream, so they are read once. */
function valuesOf({ stream, values }: Fields): unknown[] {
  if (!Array.isArray(values)) return [];
  const { program, container } = readRecord({ stream });
  return (values as unknown[])
    .filter((pair) => Array.isArray(pair))
    .map(([ts, line]: unknown[]) => ({ program, container, ts, line }));
}

/** Records one behind another. Of one that was cut off, the next one's beginning is looked for. */
function findRecords(text: string): unknown[] {
  const records: unknown[] = [];
  let from = text.indexOf('{"');
  for (let tries = 0; from >= 0 && tries < MAX_TRIES && records.length < MAX_RECORDS;) {
    const end = endOfJson(text, from);
    if (from === 0 && end === text.length) return []; // one record, or a broken one
    const record = end === undefined ? undefined : parseJson(text.slice(from, end));
    if (record === undefined) tries += 1;
    else records.push(record);
    from = text.indexOf('{"', record === undefined ? from + 1 : end);
  }
  return records;
}
