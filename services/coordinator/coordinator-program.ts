/** The command line of fleetban-coordinator. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { loadConfig } from "../config/load-config.ts";
import type { Environment } from "../process/environment.ts";
import { runDaemon } from "../process/daemon.ts";
import { parseDuration } from "../config/duration.ts";
import { EXIT, PlainError, type ExitCode } from "../process/exit.ts";
import { createProgram } from "../process/program.ts";
import {
  COORDINATOR_VARIABLES,
  coordinatorConfig,
  jailsOf,
  type CoordinatorConfig,
} from "./coordinator-config.ts";
import { allowedSentence } from "./allowed-config.ts";
import { jailSentences } from "../policy/jail-sentences.ts";
import { policyOf } from "./decide/policy.ts";
import { openSinks, type OpenedSinks } from "./notify/open-sinks.ts";
import { localLoginOf, NAME, runCoordinator } from "./coordinator-run.ts";
import { whyNotConnected } from "./history/connection-trouble.ts";
import { siteSentence } from "../web/server/site-sentence.ts";
import { siteOf } from "../web/server/web-config.ts";

const DEFAULT_FILE = "/etc/fleetban/coordinator.yaml";

export interface ProgramOptions {
  environment: Environment;
  pid: number;
  write: (text: string) => void;
  exit: (code: ExitCode) => void;
}

/** What every command has. */
interface Context extends ProgramOptions {
  program: Command;
  /** What `--config` names, or the default file; undefined: there is none. */
  fileOf(): string | undefined;
  load(file?: string): Promise<CoordinatorConfig>;
  sinksOf(config: CoordinatorConfig): OpenedSinks;
}

export function coordinatorProgram(options: ProgramOptions): Command {
  const program = createProgram(
    NAME,
    "Counts authentication failures over all hosts and decides on bans.",
  ).option("-c, --config <file>", `configuration (default: ${DEFAULT_FILE}, if it exists)`);
  const context = contextOf(program, options);
  addRun(context);
  addCheck(context);
  addConfig(context);
  addReady(context);
  addMigrate(context);
  return program;
}

function contextOf(program: Command, options: ProgramOptions): Context {
  const { environment } = options;
  const given = () => program.opts<{ config?: string }>().config;
  const fileOf = () => given() ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  return {
    ...options,
    program,
    fileOf,
    load: (file = fileOf()) =>
      loadConfig(coordinatorConfig, file, environment, COORDINATOR_VARIABLES),
    // Sinks name files beside coordinator.yaml.
    sinksOf({ notify, jails: configured }) {
      const folder = dirname(resolve(given() ?? DEFAULT_FILE));
      const jails = Object.keys(configured);
      return openSinks(notify, { folder, environment, jails, now: Date.now });
    },
  };
}

function addRun(context: Context): void {
  const { program, environment, pid, exit, fileOf, load, sinksOf } = context;
  program
    .command("run")
    .description("decide, record and answer until SIGTERM")
    .action(async () => {
      // A file that is gone later must not mean the defaults.
      const file = fileOf();
      const config = await load(file);
      const opened = sinksOf(config);
      const loadAgain = async () => {
        const changed = await load(file);
        sinksOf(changed);
        return changed;
      };
      const localLogin = localLoginOf(config, environment);
      const running = { config, loadConfig: loadAgain, opened, localLogin, pid };
      exit(await runDaemon(NAME, (life) => runCoordinator(running, life)));
    });
}

function addCheck(context: Context): void {
  const { program, write, exit } = context;
  program
    .command("check")
    .description(
      "say what the configuration amounts to, and whether NATS and PostgreSQL can be used",
    )
    .option("--config-only", "look at the configuration alone")
    .option("--as-is", "as this user, not as the service's user in the service's sandbox")
    .action(async ({ configOnly, asIs }: { configOnly?: true; asIs?: true }) => {
      const here = () => checkHere(context, configOnly);
      if (configOnly || asIs || process.getuid?.() !== 0) {
        exit(await here());
        return;
      }
      const { checkAsService } = await import("../process/check-as-service.ts");
      const { config } = program.opts<{ config?: string }>();
      exit(await checkAsService({ unit: `${NAME}.service`, config, write, here }));
    });
}

async function checkHere(context: Context, configOnly: true | undefined): Promise<ExitCode> {
  const { write } = context;
  const config = await context.load();
  describeConfig(config, context);
  if (configOnly) {
    write("configuration: ok\n");
    return EXIT.ok;
  }
  const { checkCoordinator } = await import("./check/coordinator-check.ts");
  return checkCoordinator(config, write);
}

/** What the configuration amounts to. */
function describeConfig(config: CoordinatorConfig, { write, sinksOf }: Context): void {
  for (const jail of jailsOf(config)) {
    const [first, ...others] = jailSentences(jail);
    write(`jail ${jail.name}: ${first}\n`);
    for (const sentence of others) write(`  ${sentence}\n`);
  }
  write(`policy version ${policyOf(config).version}\n`);
  for (const entry of config.allowlist) {
    write(`allowlist: ${allowedSentence(entry, Date.now())}\n`);
  }
  for (const { name, type, describe } of sinksOf(config).sinks) {
    write(`notifications: sink ${name}, ${type} to ${describe}\n`);
  }
  const site = siteOf(config.web);
  if (site) write(`web page: ${siteSentence(site)}\n`);
}

function addConfig({ program, environment, write, fileOf }: Context): void {
  program
    .command("config")
    .description("show every setting, and the file or variable that it comes from")
    .action(async () => {
      const { describeOrigins, readConfigOrigins } = await import("../config/config-origins.ts");
      const rows = readConfigOrigins(
        coordinatorConfig,
        fileOf(),
        environment,
        COORDINATOR_VARIABLES,
      );
      write(describeOrigins(await rows));
    });
}

function addReady({ program, write, load }: Context): void {
  program
    .command("ready")
    .description("say whether the coordinator that runs here does all of its work; else exit 69")
    .option("--for <duration>", "wait until it does, at most so long (default: do not wait)")
    .action(async ({ for: patience = "0s" }: { for?: string }) => {
      const seconds = patience === "0s" ? 0 : parseDuration(patience);
      if (typeof seconds !== "number") {
        const expected = 'expected a duration such as "60s"';
        throw new PlainError(`ready: "${patience}": ${expected}`, EXIT.usage);
      }
      const { http } = await load();
      const { untilReady } = await import("./http/readiness.ts");
      await untilReady(http.listen, seconds * 1000);
      write("ready\n");
    });
}

function addMigrate({ program, write, load }: Context): void {
  program
    .command("migrate")
    .description("bring the database's tables up to date (run does it, too)")
    .action(async () => {
      const { database } = await load();
      const { migrate } = await import("../../prisma/migrate.ts");
      const applied = await migrate(database.url).catch((cause: unknown) => {
        const [reason = ""] = whyNotConnected(cause).trim().split("\n");
        const where = new URL(database.url).host;
        throw new PlainError(`PostgreSQL at ${where}: ${reason}`, EXIT.unavailable, { cause });
      });
      for (const name of applied) write(`applied ${name}\n`);
      write("database: up to date\n");
    });
}
