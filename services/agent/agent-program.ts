/** The command line of fleetban-agent. */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import { loadConfig } from "../config/load-config.ts";
import type { Environment } from "../process/environment.ts";
import { runDaemon, type Life } from "../process/daemon.ts";
import { EXIT, PlainError, type ExitCode } from "../process/exit.ts";
import { createLog } from "../process/log.ts";
import { openNatsSession } from "../nats/session.ts";
import { createProgram } from "../process/program.ts";
import { startAgent } from "./agent.ts";
import { AGENT_VARIABLES, agentConfig, type AgentConfig } from "./agent-config.ts";
import { whyForbidden } from "./enforce/firewall/firewall-check.ts";
import { chooseBackEnd, chooseBackEndPatiently } from "./enforce/firewall/choice.ts";
import { createRemains, removeEverything } from "./enforce/firewall/remains.ts";
import { agentNatsOptions } from "./nats-options.ts";

const NAME = "fleetban-agent";
const DEFAULT_FILE = "/etc/fleetban/agent.yaml";

export interface ProgramOptions {
  environment: Environment;
  write: (text: string) => void;
  exit: (code: ExitCode) => void;
}

/** What every command has. */
interface Context extends ProgramOptions {
  program: Command;
  /** What `--config` names, or the default file; undefined: there is none. */
  fileOf(): string | undefined;
  load(): Promise<AgentConfig>;
}

export function agentProgram(options: ProgramOptions): Command {
  const program = createProgram(
    NAME,
    "Reports Dovecot's authentication failures of this host, and applies the fleet's bans to its firewall.",
  ).option("-c, --config <file>", `configuration (default: ${DEFAULT_FILE}, if it exists)`);
  const fileOf = () => {
    const { config } = program.opts<{ config?: string }>();
    return config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  };
  const load = () => loadConfig(agentConfig, fileOf(), options.environment, AGENT_VARIABLES);
  const context = { ...options, program, fileOf, load };
  addRun(context);
  addCheck(context);
  addConfig(context);
  addSetup(context);
  addStatus(context);
  addSets(context);
  addUninstall(context);
  return program;
}

function addRun({ program, exit, load }: Context): void {
  program
    .command("run")
    .description("watch and enforce until SIGTERM; bans stay in force after it")
    .action(async () => {
      const config = await load();
      exit(await runDaemon(NAME, (life) => run(config, life)));
    });
}

function addCheck({ program, write, exit, load }: Context): void {
  program
    .command("check")
    .description("say whether configuration, sources, firewall and NATS can be used")
    .option("--config-only", "look at the configuration alone")
    .option("--as-is", "as this user, not as the service's user in the service's sandbox")
    .action(async ({ configOnly, asIs }: { configOnly?: true; asIs?: true }) => {
      if (configOnly) {
        await load();
        write("configuration: ok\n");
        return;
      }
      const { checkAgent } = await import("./check/agent-check.ts");
      const here = async () => checkAgent(await load(), Date.now(), write);
      if (asIs || process.getuid?.() !== 0) {
        exit(await here());
        return;
      }
      const { checkAsService } = await import("../process/check-as-service.ts");
      const { config } = program.opts<{ config?: string }>();
      const code = await checkAsService({ unit: `${NAME}.service`, config, write, here });
      const { checkHost } = await import("./check/check-host.ts");
      const hostCode = await checkHost(write);
      exit(code === EXIT.ok ? hostCode : code);
    });
}

function addConfig({ program, environment, write, fileOf }: Context): void {
  program
    .command("config")
    .description("show every setting, and the file or variable that it comes from")
    .action(async () => {
      const { describeOrigins, readConfigOrigins } = await import("../config/config-origins.ts");
      const rows = readConfigOrigins(agentConfig, fileOf(), environment, AGENT_VARIABLES);
      write(describeOrigins(await rows));
    });
}

function addSetup({ program, environment, write, exit }: Context): void {
  program
    .command("setup")
    .description(
      "find Dovecot, its log and the firewall, and propose an agent.yaml; changes nothing",
    )
    .option("--yaml", "print the proposed agent.yaml alone")
    .action(async ({ yaml }: { yaml?: true }) => {
      const { createLookups } = await import("./setup/lookups.ts");
      const { setUp } = await import("./setup/setup.ts");
      const lookups = createLookups(environment["PATH"]);
      const chooseFirewall = () => chooseBackEnd(["ipset", "nftables", "iptables"], ["INPUT"]);
      const natsUrl = environment["NATS_URL"] ?? "nats://127.0.0.1:4222";
      const isYamlOnly = yaml ?? false;
      const now = Date.now();
      exit(await setUp({ lookups, chooseFirewall, natsUrl, now, isYamlOnly, write }));
    });
}

function addStatus({ program, write, load }: Context): void {
  program
    .command("status")
    .description("show whether this host is alone, and the bans that it has given alone")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: true }) => {
      const { stateDir } = await load();
      const { describeAlone } = await import("./alone/describe-alone.ts");
      write(await describeAlone(stateDir, json ? "json" : "text"));
    });
}

function addSets({ program, write }: Context): void {
  program
    .command("sets")
    .description("make the sets that saved rules of iptables name, before a boot loads them")
    .action(async () => {
      const { makeSavedSets, readSavedRules } = await import("./enforce/firewall/saved-rules.ts");
      const saved = await readSavedRules();
      const made = saved.length === 0 ? [] : await makeSavedSets(saved);
      for (const set of made) write(`made ${set}\n`);
    });
}

function addUninstall({ program, write, load }: Context): void {
  program
    .command("uninstall")
    .description("remove fleetban's rules and sets, and with them every ban on this host")
    .action(async () => {
      await load();
      await uninstall(write);
    });
}

async function uninstall(write: (text: string) => void): Promise<void> {
  const forbidden = await whyForbidden();
  if (forbidden !== undefined) throw new PlainError(`firewall: ${forbidden}`, EXIT.permission);
  const unread = await removeEverything(createRemains(Date.now));
  for (const why of unread) write(`not looked at: ${why}\n`);
  write("removed: rules, chains, sets and tables of fleetban\n");
}

async function run(config: AgentConfig, life: Life): Promise<void> {
  const log = createLog(NAME, config.log.level);
  const { backend, chains } = config.firewall;
  const choice = await chooseBackEndPatiently(backend, chains);
  if (choice.refused !== undefined) {
    log.error({ reason: choice.refused }, "firewall refuses fleetban's rules, keeps trying");
  }
  if (choice.kind === "dry-run") log.warn("dry-run: nobody is banned on this host");
  for (const reason of choice.passedOver) {
    log.warn({ reason, inUse: choice.kind }, "firewall back end cannot be used, the next one is");
  }
  const session = await openNatsSession(
    {
      ...{ config: config.nats, log },
      options: (onCertificate) => agentNatsOptions(config, onCertificate),
    },
    life,
  );
  // NATS may be away for long: the start goes on beside the signals that end it.
  startAgent(config, choice, session.opened, log, life).catch(life.fail);
}
