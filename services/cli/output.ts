/**
 * The answer on stdout, all else on stderr. The only way out for text from
 * elsewhere, which is made visible here and nowhere else.
 */
import { once } from "node:events";
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import type { Endpoint, Reply } from "../wire/api.ts";
import { spellInstants } from "../wire/instants.ts";
import { wrapIndented } from "./column-widths.ts";
import { formatTable, formatTableOrBlocks, type Cell, type Paint } from "./table.ts";
import { visible, visibleJson, visibleJsonLine } from "./visible.ts";

export interface Output {
  /** Words with spaces between them; a narrow terminal shows them in several lines. */
  line(text: string): void;
  /** A line of a file, as it is there: to be copied. */
  literal(text: string): void;
  /** Many lines of a file; resolves when there is room for more. */
  literals(texts: readonly string[]): Promise<void>;
  /** A table; the first row is its head. */
  table(rows: readonly (readonly Cell[])[]): void;
  /** Columns without a head: names and what they are. */
  facts(rows: readonly (readonly Cell[])[]): void;
  /** The coordinator's reply as one JSON document, instants as on the wire. */
  json(reply: Reply<Endpoint>): void;
  /** The same on one line, as one of several replies; resolves when there is room for more. */
  jsonRow(reply: Reply<Endpoint>): Promise<void>;
  /** One JSON document of many, on a line of its own; resolves when there is room for more. */
  jsonLine(value: unknown): Promise<void>;
  /** To stderr. */
  note(text: string): void;
  /** Where stderr is a terminal, its last line until something else is written; undefined: none. */
  transient(text: string | undefined): void;
}

export interface OutputOptions {
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
  environment: Readonly<Record<string, string | undefined>>;
}

export function createOutput({ stdout, stderr, environment }: OutputOptions): Output {
  const isColored =
    stdout.isTTY === true && !environment["NO_COLOR"] && environment["TERM"] !== "dumb";
  const paint: Paint = (color, text) =>
    isColored ? styleText(color, text, { validateStream: false }) : text;
  /** A pipe or file takes lines of any length, for scripts to read. */
  const room = () => (stdout.isTTY === true ? stdout.columns : undefined);
  let hasTransient = false;
  const erase = () => {
    if (hasTransient) stderr.write("\r\u001b[K");
    hasTransient = false;
  };
  const write = (lines: readonly string[]) => {
    erase();
    stdout.write(`${lines.join("\n")}\n`);
  };

  const jsonLine = async (value: unknown) => {
    erase();
    if (!stdout.write(`${visibleJsonLine(value)}\n`)) await once(stdout, "drain");
  };

  return {
    literal: (text) => write([visible(text)]),
    async literals(texts) {
      erase();
      const lines = texts.map((text) => `${visible(text)}\n`).join("");
      if (!stdout.write(lines)) await once(stdout, "drain");
    },
    line: (text) => write(wrapIndented(visible(text), room() ?? Infinity)),
    facts: (rows) => write(formatTable(rows, paint, room())),
    table: ([head = [], ...rows]) => write(formatTableOrBlocks(head, rows, paint, room())),
    json: (reply) => write([visibleJson(spellInstants(reply))]),
    jsonRow: (reply) => jsonLine(spellInstants(reply)),
    jsonLine,
    note(text) {
      erase();
      stderr.write(`${visible(text)}\n`);
    },
    transient(text) {
      if (stderr.isTTY !== true) return;
      erase();
      if (text === undefined) return;
      stderr.write(visible(text));
      hasTransient = true;
    },
  };
}
