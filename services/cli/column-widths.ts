/** How wide each column of a table may be for the table to fit the terminal. */
import { lengthOf } from "./visible.ts";

/** Between two columns. */
export const GAP = 2;

/**
 * Widths of the columns; undefined as `room` is no bound. The widest column shrinks first, and none
 * below its longest word, for an address that is broken in two can be neither read nor copied.
 */
export function columnWidths(
  rows: readonly (readonly string[])[],
  room: number | undefined,
): number[] {
  const widths: number[] = [];
  const least: number[] = [];
  for (const row of rows) {
    row.forEach((text, column) => {
      widths[column] = Math.max(widths[column] ?? 0, lengthOf(text));
      const longestWord = Math.max(...text.split(" ").map(lengthOf));
      least[column] = Math.max(least[column] ?? 0, longestWord);
    });
  }
  if (room === undefined) return widths;
  let excess = widthOf(widths) - room;
  for (; excess > 0; excess -= 1) {
    const widest = widestOf(widths, least);
    if (widest === undefined) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** Whether a table with these widths is no wider than the terminal. */
export function fits(widths: readonly number[], room: number | undefined): boolean {
  return widthOf(widths) <= (room ?? Infinity);
}

function widthOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP, -GAP);
}

/** The widest column that may still shrink. */
function widestOf(widths: readonly number[], least: readonly number[]): number | undefined {
  let widest: number | undefined;
  widths.forEach((width, column) => {
    if (width <= (least[column] ?? 0)) return;
    if (widest === undefined || width > (widths[widest] ?? 0)) widest = column;
  });
  return widest;
}

/** The text in lines of at most `width`, as far as its words allow. */
export function wrap(text: string, width: number): string[] {
  if (lengthOf(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && lengthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** One line of a text, wrapped as `wrap` does; every further line is indented as the first one. */
export function wrapIndented(text: string, width: number): string[] {
  const indent = /^ */.exec(text)?.[0] ?? "";
  const lines = wrap(text.slice(indent.length), width - indent.length);
  return lines.map((line) => `${indent}${line}`.trimEnd());
}
