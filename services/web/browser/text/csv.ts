/** Tables as CSV (RFC 4180) and as text for a spreadsheet's clipboard, safe to open in either. */
import { visible } from "./visible-text.ts";

/**
 * A spreadsheet takes such a field for a formula, which may send data elsewhere or start a program.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^\s*[=+\-@|%＝＋－＠]/u;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

/** The field as text: hidden characters are escaped, and a formula begins with an apostrophe. */
export function harmless(field: string): string {
  const text = visible(field);
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

export function writeCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map((field) => quoted(harmless(field))).join(",")}\r\n`).join("");
}

const quoted = (field: string): string =>
  /[",\r\n;\t]|^\s|\s$|^'/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

/** For the clipboard: fields between tabs, as spreadsheets take them. No field holds a tab. */
export const writeTabs = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => `${row.map(harmless).join("\t")}\n`).join("");
