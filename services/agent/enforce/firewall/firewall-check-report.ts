/** The part of `fleetban-agent check` that is about the firewall. */
import type { CheckReport } from "../../../nats/check.ts";
import { EXIT, PlainError } from "../../../process/exit.ts";
import { chooseBackEnd } from "./choice.ts";
import { run } from "./command.ts";
import type { FirewallJail, FirewallKind } from "./firewall.ts";
import { inspectRules } from "./inspection.ts";
import { findNeighbours } from "./neighbours.ts";
import { readSavedRules } from "./saved-rules.ts";

interface FirewallConfig {
  backend: readonly FirewallKind[];
  chains: readonly string[];
}

export async function checkFirewall(
  { backend, chains }: FirewallConfig,
  jails: readonly FirewallJail[],
  report: CheckReport,
): Promise<void> {
  try {
    const { kind, passedOver } = await chooseBackEnd(backend, chains);
    const others = passedOver.map((reason) => ` (not the first choice: ${reason})`).join("");
    if (kind === "dry-run") {
      report.ok("firewall", kind);
      return;
    }
    report.ok("firewall", `${kind} can be used${others}`);
    await checkRules(kind, chains, jails, report);
    for (const { name, text } of await findNeighbours({ kind, chains }, run)) {
      report.note(`firewall beside ${name}`, text);
    }
  } catch (error) {
    if (!(error instanceof PlainError)) throw error;
    for (const reason of error.message.split("\n")) {
      report.failed("firewall", reason.replace(/^firewall: /, ""), error.exitCode);
    }
  }
}

async function checkRules(
  kind: Exclude<FirewallKind, "dry-run">,
  chains: readonly string[],
  jails: readonly FirewallJail[],
  report: CheckReport,
): Promise<void> {
  const reasons = await inspectRules(kind, chains, jails);
  if (reasons === undefined) {
    report.note("firewall rules", "none yet: the agent makes them when it starts");
  } else if (reasons.length === 0) {
    report.ok("firewall rules", `before all others that let packets in, in ${chains.join(", ")}`);
  } else {
    for (const reason of reasons) report.failed("firewall rules", reason, EXIT.unavailable);
  }
}

/** Rules that the next boot loads; root may read them. `isMade`: a unit makes the sets before that. */
export async function checkSavedRules(
  isMade: () => Promise<boolean>,
  report: CheckReport,
): Promise<void> {
  const saved = await readSavedRules();
  if (saved.length === 0) return;
  const files = saved.map(({ file }) => file).join(", ");
  if (await isMade()) {
    report.ok("saved rules", `${files}: fleetban-agent-sets.service makes the sets that they name`);
    return;
  }
  const remedy = "systemctl enable fleetban-agent-sets.service, or take these lines out";
  const text = `${files}: name fleetban's sets: the next boot would have no firewall: ${remedy}`;
  report.failed("saved rules", text, EXIT.unavailable);
}
