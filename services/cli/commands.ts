/** Every command of fleetban, each in modules that are loaded only when it is called. */
import type { Command } from "commander";
import type { ConfigContext } from "./config.ts";
import type { Context } from "./context.ts";
import type { ExplainOptions } from "./explain/explain.ts";
import type { KeyContext } from "./key/key.ts";
import type { WebContext } from "./web.ts";

/** The parts that commands need; each command uses some of them. */
export type CommandContext = Context & ConfigContext & ExplainOptions & KeyContext & WebContext;
export type MakeCommand = (context: CommandContext) => Command;

/** In the order in which `--help` lists them. */
const COMMANDS: Readonly<Record<string, () => Promise<MakeCommand>>> = {
  status: async () => (await import("./status.ts")).statusCommand,
  ping: async () => (await import("./ping.ts")).pingCommand,
  host: async () => (await import("./host.ts")).hostCommand,
  ban: async () => (await import("./ban.ts")).banCommand,
  jail: async () => (await import("./jail.ts")).jailCommand,
  allow: async () => (await import("./allow.ts")).allowCommand,
  audit: async () => (await import("./audit.ts")).auditCommand,
  account: async () => (await import("./account.ts")).accountCommand,
  failure: async () => (await import("./failure.ts")).failureCommand,
  watch: async () => (await import("./watch.ts")).watchCommand,
  drill: async () => (await import("./drill.ts")).drillCommand,
  metrics: async () => (await import("./metrics.ts")).metricsCommand,
  notify: async () => (await import("./notify.ts")).notifyCommand,
  config: async () => (await import("./config.ts")).configCommand,
  web: async () => (await import("./web.ts")).webCommand,
  backup: async () => (await import("./backup/backup.ts")).backupCommand,
  restore: async () => (await import("./backup/restore.ts")).restoreCommand,
  support: async () => (await import("./support/support.ts")).supportCommand,
  completion: async () => (await import("./completion/completion.ts")).completionCommand,
  explain: async () => (await import("./explain/explain.ts")).explainCommand,
  simulate: async () => (await import("./simulate/simulate.ts")).simulateCommand,
  import: async () => (await import("./import/import.ts")).importCommand,
  key: async () => (await import("./key/key.ts")).keyCommand,
};

/** The command that the first argument names; all of them where it names none. */
export function loadCommands(first?: string): Promise<MakeCommand[]> {
  const named = first !== undefined && Object.hasOwn(COMMANDS, first) ? COMMANDS[first] : undefined;
  const wanted = named ? [named] : Object.values(COMMANDS);
  return Promise.all(wanted.map((load) => load()));
}
