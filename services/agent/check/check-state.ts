/** Whether the agent can keep its state: the folder can be written to, and its files can be read. */
import type { CheckReport } from "../../nats/check.ts";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError } from "../../process/file-error.ts";
import { NO_SETTINGS, readLastSettings, type LastSettings } from "../saved-settings.ts";
import { ensureStateDir, ensureStateReadable } from "../state/state-file.ts";

/** Returns the settings that this host knew last; none, where they cannot be read. */
export async function checkState(stateDir: string, report: CheckReport): Promise<LastSettings> {
  let ailment: unknown;
  try {
    await ensureStateDir(stateDir, (error) => (ailment = error));
    await ensureStateReadable(stateDir);
    const settings = await readLastSettings(stateDir);
    if (ailment === undefined) report.ok("state", stateDir);
    else report.failed("state", explainAilment(stateDir, ailment), EXIT.unavailable);
    return settings;
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    report.failed("state", error.message, error.exitCode);
    return NO_SETTINGS;
  }
}

function explainAilment(stateDir: string, ailment: unknown): string {
  const consequence = "the agent runs, and goes on from an older place after a restart";
  return `${stateDir}: ${explainFileError(ailment)}; ${consequence}`;
}
