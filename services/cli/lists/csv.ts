/** Comma-separated values (RFC 4180): fields in quotes may hold commas, quotes and line ends. */

export interface CsvRow {
  /** Of its first line, from 1. */
  line: number;
  fields: string[];
}

/** Lines that are empty or begin with # are no rows. */
export function* readCsv(text: string): Generator<CsvRow> {
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const began = line;
    const fields: string[] = [];
    for (;;) {
      const { value, end, lines } = readField(text, at);
      fields.push(value);
      line += lines;
      at = end + 1;
      if (text[end] === ",") continue;
      line += 1;
      break;
    }
    const isEmpty = fields.length === 1 && fields[0]?.trim() === "";
    if (!isEmpty && !fields[0]?.startsWith("#")) yield { line: began, fields };
  }
}

/** `end`: where the comma or the line end behind the field stands. */
function readField(text: string, from: number): { value: string; end: number; lines: number } {
  if (text[from] !== '"') {
    const end = nextOf(text, from);
    return { value: text.slice(from, end).replace(/\r$/, "").trim(), end, lines: 0 };
  }
  let value = "";
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    value += text.slice(at, quote < 0 ? text.length : quote);
    if (quote >= 0 && text[quote + 1] === '"') {
      value += '"';
      at = quote + 2;
      continue;
    }
    const end = quote < 0 ? text.length : nextOf(text, quote + 1);
    return { value, end, lines: value.split("\n").length - 1 };
  }
}

function nextOf(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "," || text[at] === "\n") return at;
  }
  return text.length;
}

export function writeCsvRow(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(",");
}
