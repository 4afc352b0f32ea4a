/**
 * Lines of a report as a terminal shows them: broken between words, and each further line set in
 * behind the line's first word, "ok" or "FAIL" for example.
 */
import type { Writable } from "node:stream";

/** A pipe or a file takes lines of any length. */
export function lineWriter(
  stdout: Writable & { isTTY?: boolean; columns?: number },
): (text: string) => void {
  return (text) => {
    const { columns } = stdout;
    const isNarrow = stdout.isTTY === true && columns !== undefined;
    stdout.write(isNarrow ? fitLines(text, columns) : text);
  };
}

export function fitLines(text: string, columns: number): string {
  return text
    .split("\n")
    .flatMap((line) => fitLine(line, columns))
    .join("\n");
}

function fitLine(line: string, columns: number): string[] {
  if (line.length <= columns) return [line];
  const [head = ""] = /^(?:(?:ok|note|FAIL) +| +)/.exec(line) ?? [];
  const indent = " ".repeat(head.length);
  const lines: string[] = [];
  let shown = head;
  for (const word of line.slice(head.length).split(" ")) {
    const isFirst = shown === head || shown === indent;
    const longer = isFirst ? shown + word : `${shown} ${word}`;
    if (isFirst || longer.length <= columns) {
      shown = longer;
      continue;
    }
    lines.push(shown);
    shown = indent + word;
  }
  return [...lines, shown];
}
