/** The part of `fleetban-agent check` that only root can do, and that needs no sandbox. */
import { execFile } from "node:child_process";
import { createCheckReport } from "../../nats/check.ts";
import type { ExitCode } from "../../process/exit.ts";
import { checkSavedRules } from "../enforce/firewall/firewall-check-report.ts";

const SETS_UNIT = "fleetban-agent-sets.service";

export async function checkHost(write: (text: string) => void): Promise<ExitCode> {
  const report = createCheckReport(write);
  await checkSavedRules(isEnabled, report);
  return report.code();
}

function isEnabled(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("systemctl", ["is-enabled", "--quiet", SETS_UNIT], (error) => resolve(error === null));
  });
}
