/** The command line of fleetban-coordinator. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { isLoopback, parseListen } from "../config/listen.ts";
import { loadConfig } from "../config/load-config.ts";
import type { Environment } from "../process/environment.ts";
import { runDaemon, type Life } from "../process/daemon.ts";
import { parseDuration } from "../config/duration.ts";
import { EXIT, PlainError, type ExitCode } from "../process/exit.ts";
import { createLog } from "../process/log.ts";
import { natsOptions } from "../nats/connect.ts";
import { openNatsSession } from "../nats/session.ts";
import { createProgram } from "../process/program.ts";
import {
  COORDINATOR_VARIABLES,
  coordinatorConfig,
  coordinatorId,
  jailsOf,
  type CoordinatorConfig,
} from "./coordinator-config.ts";
import { allowedSentence } from "./allowed-config.ts";
import { jailSentences } from "../policy/jail-sentences.ts";
import { startCoordinator } from "./coordinator.ts";
import { policyOf } from "./decide/policy.ts";
import { createHealth } from "./http/health.ts";
import { serveHttp } from "./http/http-server.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { openSinks, type OpenedSinks } from "./notify/open-sinks.ts";
import { whoAsks } from "../process/who-asks.ts";
import { siteSentence } from "../web/server/site-sentence.ts";
import type { LocalLogin } from "../web/server/web.ts";
import { siteOf } from "../web/server/web-config.ts";

const NAME = "fleetban-coordinator";
/** Of 256 bits in base64url. */
const MIN_TOKEN_LENGTH = 43;
const DEFAULT_FILE = "/etc/fleetban/coordinator.yaml";

export interface ProgramOptions {
  environment: Environment;
  pid: number;
  write: (text: string) => void;
  exit: (code: ExitCode) => void;
}

export function coordinatorProgram(options: ProgramOptions): Command {
  const { environment, write, exit } = options;
  const program = createProgram(
    NAME,
    "Counts authentication failures over all hosts and decides on bans.",
  ).option("-c, --config <file>", `configuration (default: ${DEFAULT_FILE}, if it exists)`);

  const fileOf = () => {
    const { config } = program.opts<{ config?: string }>();
    return config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  };
  const load = (file = fileOf()) =>
    loadConfig(coordinatorConfig, file, environment, COORDINATOR_VARIABLES);

  /** Sinks name files beside coordinator.yaml. */
  const sinksOf = (config: CoordinatorConfig): OpenedSinks => {
    const { config: given = DEFAULT_FILE } = program.opts<{ config?: string }>();
    const jails = Object.keys(config.jails);
    const folder = dirname(resolve(given));
    return openSinks(config.notify, { folder, environment, jails, now: Date.now });
  };

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
      const { pid } = options;
      const localLogin = localLoginOf(config, environment);
      const running = { config, loadConfig: loadAgain, opened, localLogin, pid };
      exit(await runDaemon(NAME, (life) => run(running, life)));
    });

  program
    .command("check")
    .description(
      "say what the configuration amounts to, and whether NATS and PostgreSQL can be used",
    )
    .option("--config-only", "look at the configuration alone")
    .option("--as-is", "as this user, not as the service's user in the service's sandbox")
    .action(async ({ configOnly, asIs }: { configOnly?: true; asIs?: true }) => {
      const here = () => check(configOnly);
      if (configOnly || asIs || process.getuid?.() !== 0) {
        exit(await here());
        return;
      }
      const { checkAsService } = await import("../process/check-as-service.ts");
      const { config } = program.opts<{ config?: string }>();
      exit(await checkAsService({ unit: `${NAME}.service`, config, write, here }));
    });

  async function check(configOnly: true | undefined): Promise<ExitCode> {
    const config = await load();
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
    if (configOnly) {
      write("configuration: ok\n");
      return EXIT.ok;
    }
    const { checkCoordinator } = await import("./check/coordinator-check.ts");
    return checkCoordinator(config, write);
  }

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

  program
    .command("migrate")
    .description("bring the database's tables up to date (run does it, too)")
    .action(async () => {
      const { database } = await load();
      const { migrate } = await import("../../prisma/migrate.ts");
      const applied = await migrate(database.url).catch((cause: unknown) => {
        const reason = cause instanceof Error ? cause.message.trim().split("\n")[0] : String(cause);
        const where = new URL(database.url).host;
        throw new PlainError(`PostgreSQL at ${where}: ${reason}`, EXIT.unavailable, { cause });
      });
      for (const name of applied) write(`applied ${name}\n`);
      write("database: up to date\n");
    });

  return program;
}

/** What is away may be away for long: systemd then waits no longer, and /readyz says so. */
const READY_AFTER_MS = 5_000;

/**
 * systemd is told that the start has succeeded when the coordinator is at work, or when it can only
 * wait for others. So a coordinator that cannot start fails its `systemctl start`.
 */
function readyOnce(life: Pick<Life, "ready" | "onRelease">): () => void {
  let isSaid = false;
  const ready = () => {
    if (!isSaid) life.ready();
    isSaid = true;
  };
  const timer = setTimeout(ready, READY_AFTER_MS);
  life.onRelease(() => {
    clearTimeout(timer);
    isSaid = true;
    return Promise.resolve();
  });
  return ready;
}

/** `npm start` has made the token, and shows its link on the terminal. */
function localLoginOf(
  { web }: CoordinatorConfig,
  environment: Environment,
): LocalLogin | undefined {
  const token = environment["FLEETBAN_WEB_TOKEN"] ?? "";
  const isLocal = web.listen !== undefined && isLoopback(parseListen(web.listen).host);
  if (token.length < MIN_TOKEN_LENGTH || !isLocal) return undefined;
  const name = `${whoAsks()} (unverified)`;
  return { token, person: { name, role: "operator", key: null, keyUntil: null } };
}

interface RunOptions {
  localLogin: LocalLogin | undefined;
  config: CoordinatorConfig;
  loadConfig: () => Promise<CoordinatorConfig>;
  opened: OpenedSinks;
  pid: number;
}

async function run({ config, opened, pid, ...again }: RunOptions, life: Life): Promise<void> {
  const log = createLog(NAME, config.log.level);
  // A reload before the coordinator is at work must not end it, for example while NATS is away.
  life.onHangUp(() => {});
  const id = coordinatorId(config, pid);
  const health = createHealth();
  const metrics = createMetrics(opened.sinks.map(({ name }) => name));
  const http = await serveHttp({ ...parseListen(config.http.listen), health, metrics });
  life.onRelease(() => http.close());
  const ready = readyOnce(life);
  const onTrouble = (reason: string) => {
    health.unreached(reason);
    ready();
  };
  const session = await openNatsSession(
    {
      ...{ config: config.nats, log, onTrouble },
      options: (onCertificate) => natsOptions(config.nats, `${NAME} ${id}`, onCertificate),
    },
    life,
  );
  // NATS may be away for long: the start goes on beside the signals that end it.
  const started = session.opened.then(async (session) => {
    if (session) {
      const parts = { session, health, metrics, log };
      await startCoordinator({ id, config, ...opened, ...parts, ...again }, life);
    }
    ready();
  });
  started.catch(life.fail);
}
