/**
 * Everything on one machine: nats-server, PostgreSQL, coordinator and this
 * machine's agent, each a child of its own. The first that ends by itself ends all.
 */
import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { Life } from "../process/daemon.ts";
import type { Environment } from "../process/environment.ts";
import { EXIT, PlainError } from "../process/exit.ts";
import { freePort, startChild, untilReady, type Child } from "./child.ts";
import type { Home } from "./home.ts";
import { startNatsServer } from "./nats-server.ts";
import { ensureDatabase, postgresUrl, startPostgres } from "./postgres.ts";

export interface StandaloneOptions {
  home: Home;
  /** Folder with coordinator/main.js and agent/main.js. */
  programs: string;
  environment: Environment;
  isRoot: boolean;
  say: (line: string) => void;
}

const NATS_USER = "fleetban";
/** Of the web page, unless somebody else has it: the address stays the same over restarts. */
const WEB_PORT = 9490;

/** Returns a link to the web page, which works on this machine until everything is stopped. */
export async function startStandalone(options: StandaloneOptions, life: Life): Promise<string> {
  const { home, say } = options;
  const logs = join(home.folder, "log");
  await mkdir(logs, { recursive: true });

  /** Notes how `child` is stopped, and that its own end ends everything. */
  const keep = (name: string, child: Child, signal: NodeJS.Signals = "SIGTERM") => {
    let stopping = false;
    life.onRelease(() => {
      stopping = true;
      return child.stop(signal);
    });
    void child.ended.then((status) => {
      if (stopping) return;
      const text = `${name} ended with ${status}: ${sayWhy(child)}its log is in ${logs}`;
      life.fail(new PlainError(text, EXIT.unavailable));
    });
  };
  const writeLog = (name: string) => {
    const stream = createWriteStream(join(logs, `${name}.log`), { flags: "a", mode: 0o600 });
    return (chunk: Buffer) => void stream.write(chunk);
  };

  const nats = await ensureNats(options, writeLog("nats-server"), keep);
  const databaseUrl = await ensurePostgres(options, writeLog("postgres"), keep);
  const environment = { ...options.environment, ...nats, DATABASE_URL: databaseUrl };
  await home.writeFile("client.yaml", clientYaml(nats));

  const startProgram = async (name: "coordinator" | "agent", extra: Environment) => {
    const config = await home.ensureFile(`${name}.yaml`, FIRST_CONFIG[name]());
    const child = await startChild(process.execPath, {
      args: [join(options.programs, name, "main.js"), "run", "--config", config],
      env: { ...environment, ...extra },
      onOutput: writeLog(name),
    });
    keep(`fleetban-${name}`, child);
    return child;
  };
  const httpPort = await freePort();
  const webPort = await freePort(WEB_PORT);
  const webToken = randomBytes(32).toString("base64url");
  const coordinator = await startProgram("coordinator", {
    FLEETBAN_HTTP_LISTEN: `127.0.0.1:${httpPort}`,
    FLEETBAN_WEB_LISTEN: `127.0.0.1:${webPort}`,
    FLEETBAN_WEB_TOKEN: webToken,
  });
  const readiness = createReadiness(httpPort, say);
  await untilReady("fleetban-coordinator", coordinator, readiness.isReady, readiness.whyNot);
  say(`coordinator: ready, http://127.0.0.1:${httpPort}/metrics`);

  await startProgram("agent", {
    FLEETBAN_STATE_DIR: join(home.folder, "agent"),
    MALLOC_MMAP_THRESHOLD_: "65536", // As fleetban-agent.service sets it, and why.
    ...(options.isRoot ? {} : { FLEETBAN_FIREWALL: "dry-run" }),
  });
  say(`agent: started with ${join(home.folder, "agent.yaml")}`);
  if (!options.isRoot) say("NOT ROOT: bans are only logged (dry-run), the firewall is not touched");
  say(`logs: ${logs}`);
  return `http://127.0.0.1:${webPort}/login#${webToken}`;
}

/** The last lines of the child that are meant for people; its log is one JSON object a line. */
function sayWhy(child: Child): string {
  const words = child.lastWords().split("\n").slice(-3);
  const readable = words.filter((line) => line !== "" && !line.startsWith("{"));
  return readable.length === 0 ? "" : `\n${readable.join("\n")}\n`;
}

type Keep = (name: string, child: Child, signal?: NodeJS.Signals) => void;

/** The connection to NATS as environment variables of the children. */
async function ensureNats(
  { home, environment, say }: StandaloneOptions,
  onOutput: (chunk: Buffer) => void,
  keep: Keep,
): Promise<Environment> {
  if (environment["NATS_URL"]) {
    say(`NATS: ${hostOf("NATS_URL", environment["NATS_URL"])} (NATS_URL)`);
    const { NATS_URL, FLEETBAN_NATS_USER, FLEETBAN_NATS_PASSWORD } = environment;
    return { NATS_URL, FLEETBAN_NATS_USER, FLEETBAN_NATS_PASSWORD };
  }
  const port = await freePort();
  const login = { user: NATS_USER, password: home.secrets.nats };
  const folder = join(home.folder, "nats");
  keep("nats-server", await startNatsServer({ folder, port, login, onOutput }));
  say(`nats-server: 127.0.0.1:${port}, data in ${folder}`);
  return {
    NATS_URL: `nats://127.0.0.1:${port}`,
    FLEETBAN_NATS_USER: login.user,
    FLEETBAN_NATS_PASSWORD: login.password,
  };
}

async function ensurePostgres(
  { home, environment, say }: StandaloneOptions,
  onOutput: (chunk: Buffer) => void,
  keep: Keep,
): Promise<string> {
  if (environment["DATABASE_URL"]) {
    say(`PostgreSQL: ${hostOf("DATABASE_URL", environment["DATABASE_URL"])} (DATABASE_URL)`);
    return environment["DATABASE_URL"];
  }
  const folder = join(home.folder, "postgres");
  const at = { port: await freePort(), password: home.secrets.postgres };
  // SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for its clients.
  keep("PostgreSQL", await startPostgres({ ...at, folder, onOutput }), "SIGINT");
  say(`PostgreSQL: 127.0.0.1:${at.port}, data in ${folder}`);
  const url = postgresUrl(at, "fleetban");
  await ensureDatabase(url);
  return url;
}

function hostOf(variable: string, text: string): string {
  const [first = ""] = text.split(",");
  if (URL.canParse(first) && new URL(first).host !== "") return new URL(first).host;
  const example =
    variable === "NATS_URL" ? "nats://127.0.0.1:4222" : "postgresql://me@127.0.0.1/fleetban";
  const message = `environment: ${variable}: expected a URL such as ${example}`;
  throw new PlainError(message, EXIT.config); // what was given may hold a password
}

const readyz = z.object({ reasons: z.array(z.string()) });
const SAID_AFTER_MS = 3_000;

/** Asks a coordinator whether it is ready; says what it waits for when that takes long. */
function createReadiness(httpPort: number, say: (line: string) => void) {
  const startedAt = performance.now();
  let reason = "it does not answer yet";
  let said: string | undefined;
  return {
    whyNot: () => reason,
    async isReady(): Promise<boolean> {
      try {
        const response = await fetch(`http://127.0.0.1:${httpPort}/readyz`);
        reason = readyz.parse(await response.json()).reasons.join("; ");
      } catch {
        return false; // it does not listen yet
      }
      if (reason !== "" && reason !== said && performance.now() - startedAt > SAID_AFTER_MS) {
        said = reason;
        say(`coordinator: ${reason}`);
      }
      return reason === "";
    },
  };
}

function clientYaml(nats: Environment): string {
  const { NATS_URL = "", FLEETBAN_NATS_USER: user, FLEETBAN_NATS_PASSWORD: password } = nats;
  const lines = [
    "# How the fleetban CLI reaches this fleet; written anew at every start.",
    "nats:",
    `  url: ${JSON.stringify(NATS_URL)}`,
    ...(user === undefined ? [] : [`  user: ${JSON.stringify(user)}`]),
    ...(password === undefined ? [] : [`  password: ${JSON.stringify(password)}`]),
  ];
  return `${lines.join("\n")}\n`;
}

const FIRST_CONFIG = {
  coordinator:
    () => `# Options of the coordinator; deploy/examples/coordinator.yaml explains every one.
# Where NATS, PostgreSQL and HTTP are is set from outside at every start.
`,
  agent: () => `# Options of this machine's agent; deploy/examples/agent.yaml explains every one.
# Where NATS and the state are is set from outside at every start.
${firstSources()}
`,
};

/** Where Dovecot logs on this machine: Debian 12 has no mail.log unless rsyslog is installed. */
function firstSources(): string {
  const hasJournalOnly = !existsSync("/var/log/mail.log") && existsSync("/run/systemd/journal");
  return hasJournalOnly ? "sources: [{ name: journal, unit: dovecot.service }]" : "";
}
