/** `fleetban-agent check`: would this agent do its work here? */
import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { checkNats, createCheckReport } from "../../nats/check.ts";
import { EXIT, PlainError, type ExitCode } from "../../process/exit.ts";
import { describeSelection, journalArguments } from "../../process/journal.ts";
import { hasUnit } from "../../process/unit-files.ts";
import { createLedger, type Ledger } from "../../detection/attempts/attempt-ledger.ts";
import { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import { openEnvelope } from "../../detection/lines/envelope.ts";
import { zoneOrLocal, type Zone } from "../../detection/lines/zone.ts";
import type { AgentConfig, SourceConfig } from "../agent-config.ts";
import { agentNatsOptions } from "../nats-options.ts";
import { openUserNames } from "../report/user-names.ts";
import { checkFirewall } from "../enforce/firewall/firewall-check-report.ts";
import { checkNatsRights } from "./agent-rights-check.ts";
import { checkState } from "./check-state.ts";
import { journalTrouble } from "../report/sources/journal-access.ts";
import { isPattern, matchingFiles } from "../report/sources/path-pattern.ts";
import { permissionRemedy } from "../report/sources/read-permission.ts";
import { createSourceDetector, writersOf, type SourceDetector } from "../report/source-detector.ts";
import { zoneTrouble } from "../report/zone-trouble.ts";

const LINES = 1_000;
const TAIL_BYTES = 1_000_000;

/** Writes a line for every part; returns the code of the first that failed. */
export async function checkAgent(
  config: AgentConfig,
  now: number,
  write: (text: string) => void,
): Promise<ExitCode> {
  const report = createCheckReport(write);
  report.ok("configuration", `host ${config.host}`);
  const { jails } = await checkState(config.stateDir, report);
  await checkFirewall(config.firewall, jails, report);
  try {
    await openUserNames(config);
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    report.failed("users", error.message, error.exitCode);
  }
  const ledger = createLedger({ mode: config.mode, canWait: true });
  for (const source of config.sources) {
    const { name, jail } = source;
    const log = { zone: zoneOrLocal(source.timezone), ...writersOf(source) };
    const onUnusable = (reason: string) => {
      report.failed(`jail ${jail}`, reason, EXIT.bug);
    };
    const detector = createSourceDetector({ source: name, jail, ledger, log, onUnusable });
    detector.learn(jails);
    for (const each of filesOf(source)) {
      const { verdict, text } = checkSource(each, { detector, ledger }, now);
      const where = each.path ?? describeSelection(each);
      const shifted = each.path === undefined ? undefined : shiftOf(each.path, log.zone);
      if (shifted !== undefined) report.note(`time zone of ${name}`, shifted);
      report[verdict](`source ${name}`, `${where}: ${text}`, EXIT.noInput);
    }
  }
  await checkNats(config.nats, () => agentNatsOptions(config), report);
  if (report.code() === EXIT.ok) await checkNatsRights(config, jails, report);
  return report.code();
}

/** The source once for every file that its pattern matches; as it is where none does. */
function filesOf(source: SourceConfig): SourceConfig[] {
  if (source.path === undefined || !isPattern(source.path)) return [source];
  const files = matchingFiles(source.path).map((path) => ({ ...source, path }));
  return files.length > 0 ? files : [source];
}

/** `verdict` is the part's mark in the report. */
interface SourceFinding {
  verdict: "ok" | "note" | "failed";
  text: string;
}

function checkSource(
  source: SourceConfig,
  { detector, ledger }: { detector: SourceDetector; ledger: Ledger },
  now: number,
): SourceFinding {
  const nothing = source.path === undefined ? whyNothingOfJournal(source) : undefined;
  if (nothing !== undefined) return { verdict: "failed", text: nothing };
  let tail: Buffer;
  try {
    tail = source.path === undefined ? readJournalTail(source) : readTail(source.path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" && source.path !== undefined) {
      const other = "where Dovecot logs into the journal, give its unit in place of a path";
      return { verdict: "note", text: `is not there yet, will be read when it is; ${other}` };
    }
    const remedy = source.path === undefined ? undefined : permissionRemedy(source.path);
    const reason = `cannot be read: ${String(code ?? error)}`;
    const text = remedy === undefined ? reason : `${reason}; ${remedy}`;
    return { verdict: "failed", text };
  }
  const lines = tail.toString("latin1").split("\n").slice(0, -1).slice(-LINES);
  const chunk = Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1");
  const failures = detector.current()?.feed(chunk, 0, now);
  if (!failures) {
    const text = `read; jail ${source.jail} is not known here before the first start`;
    return { verdict: "ok", text };
  }
  const withdrawn = new WithdrawnAttempts();
  withdrawn.note(ledger.takeWithdrawn());
  const attempts = failures.reduce((sum, failure) => sum + withdrawn.attemptsLeft(failure), 0);
  const addresses = new Set(failures.map(({ address }) => address)).size;
  const counted = `${attempts} failed attempts of ${addresses} addresses`;
  return { verdict: "ok", text: `the last ${lines.length} lines would have counted ${counted}` };
}

/** The agent would warn of the same. journalctl itself prints nothing then, and succeeds. */
function whyNothingOfJournal({ unit, directory }: SourceConfig): string | undefined {
  if (unit === undefined || directory !== undefined || hasUnit(unit) !== false) {
    return journalTrouble(directory);
  }
  return (
    "this machine has no such unit, so nothing is counted; " +
    "systemctl list-units --type=service says which there are"
  );
}

/** What the last line of a file says of its time zone; undefined: nothing is wrong. */
function shiftOf(path: string, zone: Zone): string | undefined {
  try {
    const last = readTail(path).toString("latin1").trimEnd().split("\n").at(-1) ?? "";
    const changedAt = statSync(path).mtimeMs;
    return zoneTrouble(openEnvelope(last, { receivedAt: changedAt, zone }).written, changedAt);
  } catch {
    return undefined; // that the file cannot be read is said of the source itself
  }
}

/** Throws when journalctl cannot be run, or may not read. */
function readJournalTail(source: SourceConfig): Buffer {
  const args = journalArguments({ ...source, uid: source.user }, [`--lines=${LINES}`]);
  return execFileSync("journalctl", args, {
    maxBuffer: 64_000_000,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function readTail(path: string): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const length = Math.min(size, TAIL_BYTES);
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, length, size - length));
  } finally {
    closeSync(descriptor);
  }
}
