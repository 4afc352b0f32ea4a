/** Columns in line, two spaces between them; the widest cell gives a column its width. */
import { lengthOf, visible } from "./visible.ts";

export type Color = "red" | "yellow" | "green" | "dim" | "bold";
export type Cell = string | { readonly text: string; readonly color: Color };
export type Paint = (color: Color, text: string) => string;

/** Rows may be shorter than the longest; no line ends in spaces. */
export function formatTable(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const texts = rows.map((row) => row.map((cell) => visible(textOf(cell))));
  const widths: number[] = [];
  for (const row of texts) {
    row.forEach((text, column) => {
      widths[column] = Math.max(widths[column] ?? 0, lengthOf(text));
    });
  }
  return rows.map((row, line) => {
    const last = row.findLastIndex((cell) => textOf(cell) !== "");
    return row
      .slice(0, last + 1)
      .map((cell, column) => {
        const text = texts[line]?.[column] ?? "";
        const painted = typeof cell === "string" ? text : paint(cell.color, text);
        const room = column === last ? 0 : (widths[column] ?? 0) + 2 - lengthOf(text);
        return painted + " ".repeat(room);
      })
      .join("");
  });
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}
