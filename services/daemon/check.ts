/** What `check` of a daemon prints, a line for every part, and what both daemons check. */
import { connect, type ConnectionOptions } from "@nats-io/transport-node";
import { EXIT, PlainError, type ExitCode } from "./exit.ts";
import type { NatsConfig } from "./nats.ts";
import { explainTrouble } from "./nats-trouble.ts";

export interface CheckReport {
  ok(part: string, text: string): void;
  /** `code` is what the check ends with, unless something has failed before. */
  failed(part: string, text: string, code: ExitCode): void;
  /** The code of the first that failed. */
  code(): ExitCode;
}

export function createCheckReport(write: (text: string) => void): CheckReport {
  let first: ExitCode = EXIT.ok;
  return {
    ok(part, text) {
      write(`ok    ${part}: ${text}\n`);
    },
    failed(part, text, code) {
      write(`FAIL  ${part}: ${text}\n`);
      if (first === EXIT.ok) first = code;
    },
    code: () => first,
  };
}

/** Connects once, with what a daemon would connect with. */
export async function checkNats(
  config: NatsConfig,
  optionsOf: () => Promise<ConnectionOptions>,
  report: CheckReport,
): Promise<void> {
  try {
    const options = await optionsOf();
    const connection = await connect({ ...options, maxReconnectAttempts: 0, timeout: 3_000 });
    report.ok("NATS", connection.getServer());
    await connection.close();
  } catch (error) {
    if (error instanceof PlainError) {
      report.failed("NATS", error.message, error.exitCode);
      return;
    }
    const { kind, text } = explainTrouble(error, config, Date.now());
    const code = kind === "away" ? EXIT.unavailable : EXIT.permission;
    report.failed("NATS", `${config.url}: ${text}`, code);
  }
}
