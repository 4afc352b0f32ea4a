/**
 * Columns in line, two spaces between them. Where the table would be wider than the terminal, its
 * columns shrink and their texts wrap.
 */
import { columnWidths, fits, GAP, wrap } from "./column-widths.ts";
import { lengthOf, visible } from "./visible.ts";

export type Color = "red" | "yellow" | "green" | "dim" | "bold";
export type Cell = string | { readonly text: string; readonly color: Color };
export type Paint = (color: Color, text: string) => string;

/** Rows may be shorter than the longest; no line ends in spaces. `room`: columns of the terminal. */
export function formatTable(
  rows: readonly (readonly Cell[])[],
  paint: Paint,
  room?: number,
): string[] {
  const texts = rows.map((row) => row.map((cell) => visible(textOf(cell))));
  const widths = columnWidths(texts, room);
  return rows.flatMap((row, index) => {
    const cells = row.map((cell, column) => {
      const text = texts[index]?.[column] ?? "";
      return { cell, lines: room === undefined ? [text] : wrap(text, widths[column] ?? 0) };
    });
    const height = Math.max(1, ...cells.map(({ lines }) => lines.length));
    return Array.from({ length: height }, (_, line) => {
      const parts = cells.map(({ cell, lines }) => ({ cell, text: lines[line] ?? "" }));
      return formatLine(parts, widths, paint);
    });
  });
}

/**
 * A table whose first row is its head. On a terminal that is too narrow for its longest words, each
 * row becomes a block with a line for each column.
 */
export function formatTableOrBlocks(
  head: readonly Cell[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
  room?: number,
): string[] {
  const titles = head.map((cell): Cell => ({ text: textOf(cell), color: "bold" }));
  const table = [titles, ...rows];
  const texts = table.map((row) => row.map((cell) => visible(textOf(cell))));
  if (fits(columnWidths(texts, room), room)) return formatTable(table, paint, room);
  return rows.flatMap((row, index) => {
    const facts = row.map((cell, column): Cell[] => [titles[column] ?? "", cell]);
    const block = formatTable(facts, paint, room);
    return index === 0 ? block : ["", ...block];
  });
}

function formatLine(
  parts: readonly { cell: Cell; text: string }[],
  widths: readonly number[],
  paint: Paint,
): string {
  const last = parts.findLastIndex(({ text }) => text !== "");
  return parts
    .slice(0, last + 1)
    .map(({ cell, text }, column) => {
      const painted = typeof cell === "string" || text === "" ? text : paint(cell.color, text);
      const room = column === last ? 0 : (widths[column] ?? 0) + GAP - lengthOf(text);
      return painted + " ".repeat(Math.max(room, 0));
    })
    .join("");
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}
