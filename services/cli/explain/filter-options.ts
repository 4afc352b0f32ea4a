/** `--failregex` and `--ignoreregex`: a filter to try in place of Dovecot's own lines. */
import type { Command } from "commander";
import { EXIT, PlainError } from "../../process/exit.ts";
import { countLine } from "../../detection/attempts/count-line.ts";
import type { Failure } from "../../detection/attempts/failure.ts";
import { compileFilter, FilterError } from "../../detection/filter/filter.ts";
import { countFiltered, readFiltered } from "../../detection/filter/filter-detector.ts";
import type { Ledger } from "../../detection/attempts/attempt-ledger.ts";
import { LOCAL_LOG } from "../../detection/lines/log-facts.ts";
import { readNextLine } from "../../detection/repeated-line.ts";
import { sourceOf, type InputLine, type Read } from "./input.ts";

export interface FilterFlags {
  failregex?: string[];
  ignoreregex?: string[];
  prefregex?: string;
  datepattern?: string;
  instance?: string[];
}

/** How lines are read, and what they count. */
export interface Reader {
  /** What to call the lines that matter to the filter. */
  whatIsKnown: string;
  read: Read;
  count(line: InputLine, ledger: Ledger, receivedAt: number): Failure | undefined;
}

export function addFilterOptions(command: Command): Command {
  const gather = (text: string, before: string[] = []) => [...before, text];
  return command
    .option("--instance <name>", "a name that Dovecot writes under; repeatable", gather)
    .option("--failregex <regex>", "count what fail2ban's filter would find; repeatable", gather)
    .option("--ignoreregex <regex>", "but not these lines; repeatable", gather)
    .option("--prefregex <regex>", "which must match first, with <F-CONTENT>")
    .option("--datepattern <pattern>", "where the date stands, such as '^%Y:%m:%d-%H:%M:%S'");
}

/** Throws where the expressions cannot be used. */
export function readerOf(
  where: string,
  { failregex, ignoreregex, prefregex, datepattern, instance }: FilterFlags,
): Reader {
  if (!failregex) {
    const log = { ...LOCAL_LOG, instances: instance };
    return {
      whatIsKnown: "of Dovecot's authentication",
      read: (line, receivedAt, before) => readNextLine(line, before, receivedAt, log),
      count: (line, ledger, receivedAt) =>
        countLine(line.reading, ledger, sourceOf(line.file), receivedAt),
    };
  }
  try {
    const filter = compileFilter({ failregex, ignoreregex, prefregex, datepattern });
    return {
      whatIsKnown: "that the filter matches",
      read: (line, receivedAt) => readFiltered(line, filter, receivedAt),
      count: (line, _ledger, receivedAt) => countFiltered(line.reading, receivedAt),
    };
  } catch (cause) {
    if (!(cause instanceof FilterError)) throw cause;
    const faults = cause.message.split("\n").map((fault) => `${where}: ${fault}`);
    throw new PlainError(faults.join("\n"), EXIT.usage, { cause });
  }
}
