/** Columns of tables that rank by attempts. */
import { formatNumber } from "../text/numbers.ts";
import type { Column } from "./data-table.tsx";
import { About } from "./names.tsx";

interface Ranked {
  /** Where it is, or whose; null: not known. */
  about: string | null;
  attempts: number;
}

/** Where the rows are, if that is known of any of them, and how many attempts they have. */
export function attemptsColumns<Row extends Ranked>(rows: readonly Row[]): Column<Row>[] {
  const where: Column<Row> = {
    name: "Where",
    cell: ({ about }) => <About about={about} />,
    text: ({ about }) => about ?? "",
  };
  const attempts: Column<Row> = {
    name: "Attempts",
    isNumber: true,
    cell: (row) => formatNumber(row.attempts),
    text: (row) => String(row.attempts),
  };
  return rows.some(({ about }) => about !== null) ? [where, attempts] : [attempts];
}
