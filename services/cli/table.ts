/**
 * Columns in line, two spaces between them. Where the table would be wider than the terminal, its
 * columns shrink and their texts wrap.
 */
import { columnWidths, GAP, wrap } from "./column-widths.ts";
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
