/** The report of a daemon's `check`, one line per part, and the parts that both daemons check. */
import type { ConnectionOptions } from "@nats-io/nats-core";
import { EXIT, PlainError, type ExitCode } from "../process/exit.ts";
import type { NatsConfig } from "./nats-config.ts";
import { tryNats } from "./link.ts";

export interface CheckReport {
  ok(part: string, text: string): void;
  /** Worth knowing, and no fault of what is checked. */
  note(part: string, text: string): void;
  /** The check ends with `code`, unless an earlier part has failed. */
  failed(part: string, text: string, code: ExitCode): void;
  /** The code of the first part that failed. */
  code(): ExitCode;
}

export function createCheckReport(write: (text: string) => void): CheckReport {
  let first: ExitCode = EXIT.ok;
  return {
    ok(part, text) {
      write(`ok    ${part}: ${text}\n`);
    },
    note(part, text) {
      write(`note  ${part}: ${text}\n`);
    },
    failed(part, text, code) {
      write(`FAIL  ${part}: ${text}\n`);
      if (first === EXIT.ok) first = code;
    },
    code: () => first,
  };
}

const WITHIN_MS = 3_000;

/** Connects once, with the options of a daemon. */
export async function checkNats(
  config: NatsConfig,
  optionsOf: () => Promise<ConnectionOptions>,
  report: CheckReport,
): Promise<void> {
  let options: ConnectionOptions;
  try {
    options = await optionsOf();
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    report.failed("NATS", error.message, error.exitCode);
    return;
  }
  const tried = await tryNats(options, config, WITHIN_MS);
  if (!tried.trouble) {
    report.ok("NATS", tried.server);
    return;
  }
  const { kind, text } = tried.trouble;
  const code = kind === "away" ? EXIT.unavailable : EXIT.permission;
  report.failed("NATS", `${config.url}: ${text}`, code);
}
