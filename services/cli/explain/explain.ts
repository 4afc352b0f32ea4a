/** `fleetban explain`: shows how the lines of a log are read and counted. It asks no server. */
import { Command, Option } from "commander";
import type { Readable } from "node:stream";
import type { Failure } from "../../detection/attempts/failure.ts";
import { createLedger } from "../../detection/attempts/attempt-ledger.ts";
import { withoutPassword } from "../../detection/lines/redact.ts";
import { UsageError } from "../arguments.ts";
import type { Output } from "../output.ts";
import { createProgress, describeMegabytes, sizeOfFiles } from "../progress.ts";
import { formatInstant } from "../time.ts";
import { quote, shorten } from "../visible.ts";
import { addFilterOptions, readerOf, type FilterFlags } from "./filter-options.ts";
import {
  mergeByTime,
  readFileLines,
  readJournalLines,
  readLines,
  unreadable,
  type InputLine,
  type Read,
  type ReadOptions,
} from "./input.ts";
import { settled } from "./settled.ts";
import { createSummary, type Summary } from "./summary.ts";

export interface ExplainOptions {
  stdin: Readable & { isTTY?: boolean };
  output: Output;
  now: () => number;
}

type Mode = "normal" | "aggressive";

interface Flags extends FilterFlags {
  json?: true;
  lines?: true;
  unrecognized?: true;
  mode: Mode;
  journal?: string | true;
}

const DOVECOT_UNIT = "dovecot.service";
/** Addresses that the summary names. */
const TOP = 10;

export function explainCommand(context: ExplainOptions): Command {
  const command = new Command("explain")
    .description("say what is seen and counted in a log; needs no server")
    .argument("[file...]", "log files, also .gz; none or -: stdin")
    .option("--journal [unit]", "the journal of a unit (preset: dovecot.service)")
    .option("--lines", "say of every line, taken alone, what it is")
    .option("--unrecognized", "only lines that look like an attempt and are not understood")
    .option("--json", "one JSON object per counted failure, with --lines per line")
    .addOption(
      new Option("--mode <mode>", "count as an agent of this mode does")
        .choices(["normal", "aggressive"])
        .default("normal"),
    )
    .addHelpText("after", MORE)
    .action(async (files: string[], flags: Flags) => {
      const summary = await explainLines(files, flags, context);
      if (!flags.json) showSummary(summary, flags, context.output);
    });
  return addFilterOptions(command);
}

/** Says of the lines what is asked for. */
async function explainLines(
  files: readonly string[],
  flags: Flags,
  context: ExplainOptions,
): Promise<Summary> {
  const { output, now } = context;
  const { read, count, whatIsKnown } = readerOf("explain", flags);
  const progress = createProgress({
    ...{ total: sizeOfFiles(files), describe: describeMegabytes },
    ...{ output, now },
  });
  const input =
    flags.journal === undefined
      ? openInput(files, { read, onBytes: progress.advance }, context)
      : openJournal(files, flags.journal, { read, now });
  const ledger = createLedger({ mode: flags.mode, canWait: true });
  const summary = createSummary(whatIsKnown);
  const isMany = files.length > 1;
  try {
    const lines = settled(input, {
      ledgerOf: () => ledger,
      count: (line) => count(line, ledger, now()),
    });
    for await (const { line, counted } of lines) {
      summary.add(line.reading, counted);
      await showLine({ line, counted, isMany }, flags, output);
    }
  } catch (error) {
    throw unreadable("explain", error);
  } finally {
    progress.done();
  }
  return summary;
}

interface ExplainedLine {
  line: InputLine;
  counted: Failure | undefined;
  /** Does the line come from one of several files? */
  isMany: boolean;
}

async function showLine(
  { line, counted, isMany }: ExplainedLine,
  { json, lines, unrecognized, mode }: Flags,
  output: Output,
): Promise<void> {
  if (unrecognized) {
    if (!line.reading.isUnrecognized) return;
    if (json) await output.jsonLine(describeReading(line, mode));
    else output.literal(`${placeOf(line, isMany)}  ${withoutPassword(line.text)}`);
  } else if (json) {
    if (lines) await output.jsonLine(describeReading(line, mode));
    else if (counted) await output.jsonLine(describeCounted(line, counted));
  } else if (lines) output.line(tellReading(line, mode, isMany));
  else if (counted) output.line(tellCounted(line, counted, isMany));
}

function showSummary(summary: Summary, flags: Flags, output: Output): void {
  output.line("");
  output.facts(summary.totals());
  const forms = summary.forms();
  if (forms.length === 1) {
    noteNothing(summary.lines().all, flags, output);
    return;
  }
  output.line("");
  output.table(forms);
  const { rows, total } = summary.addresses(TOP);
  if (total === 0) return;
  output.line("");
  output.table(rows);
  if (total > TOP) output.note(`${total - TOP} more addresses; --json names them all`);
}

function noteNothing(lines: number, { journal, failregex }: Flags, output: Output): void {
  const unit = journal === true ? DOVECOT_UNIT : journal;
  if (lines === 0 && unit !== undefined) {
    const why = "is it the unit's name, and may you read the journal (group systemd-journal)?";
    output.note(`explain: the journal has nothing of ${unit}: ${why}`);
  } else if (lines > 0 && failregex === undefined) {
    const why = "is it the log that Dovecot's log_path or syslog's mail facility leads to?";
    output.note(`explain: no line is of Dovecot's authentication: ${why}`);
  }
}

function openJournal(
  files: readonly string[],
  unit: string | true,
  { read, now }: { read: Read; now: () => number },
): AsyncGenerator<InputLine> {
  if (files.length === 0) {
    return readJournalLines(unit === true ? DOVECOT_UNIT : unit, now(), read);
  }
  throw new UsageError("explain: expected either files or --journal, got both");
}

function openInput(
  files: readonly string[],
  options: ReadOptions,
  { stdin, output, now }: ExplainOptions,
): AsyncGenerator<InputLine> {
  if ((files.length === 0 || files.includes("-")) && stdin.isTTY) {
    output.note("explain: reads lines from the terminal, Ctrl-D ends them");
  }
  const inputs = (files.length === 0 ? ["-"] : files).map((file) =>
    file === "-" ? readLines("-", stdin, now(), options.read) : readFileLines(file, options),
  );
  return mergeByTime(inputs);
}

/** Nobody counts a scan in normal mode: it is as nothing there. */
function verdictOf({ reading: { verdict } }: InputLine, mode: Mode): string {
  if (verdict !== "scan") return verdict;
  return mode === "aggressive" ? "aggressive" : "other";
}

function describeReading(line: InputLine, mode: Mode) {
  const { form, address, attempts, repeat, user, service, session, at } = line.reading;
  const verdict = verdictOf(line, mode);
  return {
    file: line.file,
    line: line.number,
    form,
    verdict,
    address: address ?? null,
    attempts: verdict === "failure" || verdict === "aggressive" ? attempts * repeat : 0,
    user: user ?? null,
    service: service ?? null,
    session: session ?? null,
    at: at === undefined ? null : new Date(at).toISOString(),
    text: withoutPassword(line.text),
  };
}

function describeCounted(line: InputLine, counted: Failure) {
  const { address, attempts, user, service, session, at, form } = counted;
  return {
    file: line.file,
    line: line.number,
    address,
    attempts,
    user: user ?? null,
    service: service ?? null,
    session: session ?? null,
    at: new Date(at).toISOString(),
    form,
    text: withoutPassword(line.text),
  };
}

function placeOf({ file, number }: InputLine, isMany: boolean): string {
  return (isMany ? `${file}:${number}` : String(number)).padStart(6);
}

function tellReading(line: InputLine, mode: Mode, isMany: boolean): string {
  const { form, address = "-", user } = line.reading;
  const verdict = form === null ? "-" : verdictOf(line, mode);
  const name = user === undefined ? "" : `  ${shorten(quote(user), 48)}`;
  return `${placeOf(line, isMany)}  ${verdict.padEnd(10)}  ${address.padEnd(15)}  ${form ?? "not known"}${name}`;
}

function tellCounted(line: InputLine, counted: Failure, isMany: boolean): string {
  const { address, attempts, user, form, at } = counted;
  const name = user === undefined ? "" : `  ${shorten(quote(user), 48)}`;
  return `${placeOf(line, isMany)}  ${formatInstant(at)}  ${address.padEnd(15)}  +${attempts}  ${form}${name}`;
}

const MORE = `
Attempts are counted as an agent counts them: one attempt is one failure, however many
lines tell of it. Several files are read as one log, in the order of their time.

Examples:
  fleetban explain /var/log/mail.log          what was counted, and a summary
  fleetban explain --lines mail.log           what every line is
  fleetban explain --journal
  fleetban explain --failregex 'sshd.*Failed password .* from <ADDR> ' /var/log/auth.log
  zcat -f /var/log/mail.log* | fleetban explain --json
`;
