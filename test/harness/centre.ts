/** A coordinator and an agent of dist/ on servers that the test has started, and the CLI that asks them. */
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Reply } from "../../services/wire/api.ts";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { openDoor } from "./door.ts";
import { eventually } from "./eventually.ts";
import { failedLogin } from "./failed-login.ts";
import { fleetban, type Answer } from "./fleetban.ts";
import type { Namespace } from "./netns.ts";
import { restartable, type Restartable } from "./restartable.ts";

const PROGRAMS = resolve(import.meta.dirname, "../../dist/services");

export interface CentreOptions {
  /** Of the test, for their configuration, state and log. */
  folder: string;
  natsUrl: string;
  databaseUrl?: string;
  /** More of their configuration. */
  coordinatorYaml?: string;
  agentYaml?: string;
  /** More sources of the agent, each behind a comma. */
  sourcesYaml?: string;
  /** Where all of it runs; NATS must be reached from there. */
  namespace?: Namespace;
  /** Before the agent's command line. */
  agentPrefix?: readonly string[];
  /** More of the agent's environment. */
  agentEnvironment?: Readonly<Record<string, string>>;
}

export interface Centre extends AsyncDisposable {
  coordinator: Restartable;
  agent: Restartable;
  cli(...args: string[]): Promise<Answer>;
  /** `fleetban status --json`. */
  status(): Promise<Reply<"status.show">>;
  /** Writes so many failed logins of `address` into the agent's log. */
  fail(address: string, count: number): Promise<void>;
  /** Is `address` banned, as `fleetban ban list` says? */
  isBanned(address: string): Promise<boolean>;
  readyz(): Promise<string>;
  /** What the coordinator shows on /metrics. */
  metrics(): Promise<string>;
}

/** Resolves when the agent is known to the coordinator, and current. */
export async function startCentre(options: CentreOptions): Promise<Centre> {
  const { folder, natsUrl, databaseUrl = "postgresql://nobody@127.0.0.1:1/none" } = options;
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const mailLog = join(folder, "mail.log");
  const { namespace } = options;
  const start = async (
    program: string,
    yaml: string,
    prefix: readonly string[] = [],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Restartable> => {
    const config = join(folder, `${program}.yaml`);
    await writeFile(config, yaml);
    const main = join(PROGRAMS, program, "main.js");
    const [command, ...args] = [...prefix, process.execPath, main, "run", "--config", config];
    const env = {
      ...{ PATH: process.env["PATH"], NATS_URL: natsUrl, DATABASE_URL: databaseUrl },
      ...{ FLEETBAN_STATE_DIR: join(folder, "state"), ...more },
    };
    return restartable((onOutput) =>
      startChild(command, { args, env, onOutput, ...(namespace && { spawn: namespace.spawn }) }),
    );
  };
  const http = `http: { listen: "127.0.0.1:${port}" }`;
  const coordinator = await start(
    "coordinator",
    `id: c1\n${http}\n${options.coordinatorYaml ?? ""}\n`,
  );
  const source = `sources: [{ name: mail-log, startAt: beginning, path: ${mailLog} }${options.sourcesYaml ?? ""}]`;
  const agent = await start(
    "agent",
    `host: mx1\n${source}\n${options.agentYaml ?? "firewall: { backend: dry-run }"}\n`,
    options.agentPrefix,
    options.agentEnvironment,
  );
  const door = namespace && (await openDoor(namespace, folder));
  const reached = door ? await door.urls(natsUrl) : natsUrl;
  const cli = (...args: string[]) => fleetban(args, { NATS_URL: reached });
  const ask = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await cli(...args, "--json");
    if (code !== 0) throw new Error(`fleetban ${args.join(" ")}: exit ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const centre: Centre = {
    ...{ coordinator, agent, cli },
    status: () => ask("status"),
    async fail(address, count) {
      const lines = Array.from({ length: count }, () => failedLogin({ address }));
      await appendFile(mailLog, lines.join(""));
    },
    async isBanned(address) {
      const { bans } = await ask<Reply<"ban.list">>("ban", "list", "--address", address);
      return bans.length > 0;
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    readyz: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).text(),
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await coordinator.stop();
      await door?.[Symbol.asyncDispose]();
    },
  };
  try {
    await eventually(
      "the agent is up and current",
      async () => (await centre.status()).hosts.current === 1,
      40,
    );
  } catch (error) {
    await centre[Symbol.asyncDispose]();
    throw error;
  }
  return centre;
}
