/** A table that can be copied and downloaded; on a phone each row becomes a card. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { writeCsv, writeTabs } from "../text/csv.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { Icon } from "./icon.tsx";

export interface Column<Row> {
  name: string;
  cell: (row: Row) => ComponentChildren;
  /** In copies and downloads; undefined: the column is not in them. */
  text?: (row: Row) => string;
  isNumber?: boolean;
  /**
   * "wide": takes what room there is. "actions": the row's commands. "extra": left out where the
   * window is narrow; copies and downloads have it.
   */
  kind?: "wide" | "actions" | "extra";
}

interface DataTableProps<Row> {
  /** Read aloud, and the name of a download: "Bans", "bans". */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Of all rows, where it is known. */
  total?: number | undefined;
  more?: (() => void) | undefined;
  isLoading?: boolean;
  /** Every row for a download; without: those that are shown. */
  all?: (most: number, onCount: (rows: number) => void) => Promise<readonly Row[]>;
  /** Commands beside the table's own. */
  tools?: ComponentChildren;
}

/** A browser holds no more in one file without trouble. */
const MOST_ROWS = 100_000;
/** Of a table that has come whole: on a phone a hundred rows are a long way to what stands below. */
const FIRST_ROWS = 25;

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { caption, columns, rows, keyOf, more, isLoading = false, tools } = props;
  const [isWhole, setIsWhole] = useState(false);
  const shown = isWhole || props.all ? rows : rows.slice(0, FIRST_ROWS);
  const hidden = rows.length - shown.length;
  const total = props.total ?? rows.length;
  return (
    <div class="table-box">
      <div class="table-tools">
        <p class="faint" role="status">
          {total > shown.length
            ? `${formatNumber(shown.length)} of ${count(total, "row")}`
            : `${count(shown.length, "row")}${more ? ", more follow" : ""}`}
        </p>
        <div class="buttons">
          {tools}
          <TableExport {...props} />
        </div>
      </div>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, isNumber, kind }) => (
              <th scope="col" class={classOf(isNumber, kind)}>
                {kind === "actions" ? <span class="unseen">{name}</span> : name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, cell, isNumber, kind }) => (
                <td class={classOf(isNumber, kind)} data-name={name}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && (
        <p class="table-more">
          <button type="button" onClick={() => setIsWhole(true)}>
            Show {formatNumber(hidden)} more
          </button>
        </p>
      )}
      {more && (
        <p class="table-more">
          <button type="button" onClick={more} disabled={isLoading}>
            {isLoading ? "reading …" : "Show more"}
          </button>
        </p>
      )}
    </div>
  );
}

function classOf(isNumber = false, kind?: string): string | undefined {
  return [isNumber ? "number" : "", kind ?? ""].filter(Boolean).join(" ") || undefined;
}

function TableExport<Row>({ caption, columns, rows, all }: DataTableProps<Row>) {
  const { notify } = useApp();
  const [progress, setProgress] = useState<number>();
  const spelled = columns.filter(({ text }) => text !== undefined);
  const head = spelled.map(({ name }) => name);
  const fieldsOf = (row: Row) => spelled.map(({ text }) => text?.(row) ?? "");

  async function copy() {
    try {
      await navigator.clipboard.writeText(writeTabs([head, ...rows.map(fieldsOf)]));
      notify({ kind: "done", text: `${count(rows.length, "row")} copied` });
    } catch {
      notify({ kind: "failed", text: "the browser does not allow to copy; the download works" });
    }
  }

  async function download() {
    try {
      setProgress(0);
      const wanted = all ? await all(MOST_ROWS, setProgress) : rows;
      saveFile(`fleetban-${caption.toLowerCase().replaceAll(/\W+/g, "-")}.csv`, [
        head,
        ...wanted.map(fieldsOf),
      ]);
      if (wanted.length === MOST_ROWS) {
        const text = `the file ends after ${formatNumber(MOST_ROWS)} rows: narrow the filters down`;
        notify({ kind: "failed", text });
      }
    } catch (error) {
      notify({ kind: "failed", text: `the table was not downloaded: ${String(error)}` });
    } finally {
      setProgress(undefined);
    }
  }

  return (
    <>
      <button type="button" class="quiet" onClick={() => void copy()} disabled={rows.length === 0}>
        <Icon name="copy" /> Copy
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => void download()}
        disabled={rows.length === 0 || progress !== undefined}
      >
        <Icon name="download" /> {progress === undefined ? "CSV" : `${formatNumber(progress)} rows`}
      </button>
    </>
  );
}

function saveFile(name: string, rows: readonly (readonly string[])[]): void {
  const url = URL.createObjectURL(new Blob(["\ufeff", writeCsv(rows)], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
