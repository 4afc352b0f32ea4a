/** The daemons of dist/ in a secured fleet, each with credentials and a folder of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { fleetban, type Answer } from "./fleetban.ts";
import { restartable, type Restartable } from "./restartable.ts";
import type { SecuredFleet } from "./secured-fleet.ts";

const PROGRAMS = resolve(import.meta.dirname, "../../dist/services");

export interface SecuredProgram extends Restartable, AsyncDisposable {
  folder: string;
}

export interface ProgramOptions {
  /** Of nats:, in place of the fleet's own. */
  nats?: { url?: string; ca?: string };
  creds: string;
  /** More of its configuration. */
  yaml?: string;
  /** More of its environment. */
  environment?: Readonly<Record<string, string>>;
}

/** More of its configuration is in `yaml`. */
async function startProgram(
  fleet: SecuredFleet,
  program: "agent" | "coordinator",
  name: string,
  options: ProgramOptions,
  yaml: string,
): Promise<SecuredProgram> {
  const folder = join(fleet.folder, "..", `${program}-${name}`);
  await mkdir(folder, { recursive: true });
  const nats = { url: fleet.url, ca: fleet.ca, ...options.nats, creds: options.creds };
  const config = join(folder, "config.yaml");
  await writeFile(config, `nats: ${JSON.stringify(nats)}\n${yaml}`, { mode: 0o600 });
  const args = [join(PROGRAMS, program, "main.js"), "run", "--config", config];
  const state = { FLEETBAN_STATE_DIR: join(folder, "state") };
  const env = { PATH: process.env["PATH"], ...state, ...options.environment };
  const running = await restartable((onOutput) =>
    startChild(process.execPath, { args, env, onOutput }),
  );
  return { ...running, folder, [Symbol.asyncDispose]: () => running.stop() };
}

/** In dry-run; reads mail.log of its folder from the beginning. */
export function startSecuredAgent(
  fleet: SecuredFleet,
  name: string,
  options: ProgramOptions & { host?: string },
): Promise<SecuredProgram> {
  const log = join(fleet.folder, "..", `agent-${name}`, "mail.log");
  const source = `{ name: mail-log, startAt: beginning, path: ${log} }`;
  const yaml = `host: ${options.host ?? name}\nfirewall: { backend: dry-run }\nsources: [${source}]\n`;
  return startProgram(fleet, "agent", name, options, yaml);
}

/** Without `databaseUrl` there is no PostgreSQL: bans do not need it. */
export async function startSecuredCoordinator(
  fleet: SecuredFleet,
  name: string,
  options: ProgramOptions & { databaseUrl?: string },
): Promise<SecuredProgram & { readyz(): Promise<string> }> {
  const port = await freePort();
  const { databaseUrl = "postgresql://nobody@127.0.0.1:1/none" } = options;
  const yaml = `id: ${name}\nhttp: { listen: "127.0.0.1:${port}" }\ndatabase: { url: "${databaseUrl}" }\n${options.yaml ?? ""}\n`;
  const running = await startProgram(fleet, "coordinator", name, options, yaml);
  return {
    ...running,
    async readyz() {
      return (await fetch(`http://127.0.0.1:${port}/readyz`)).text();
    },
  };
}

/** The CLI with somebody's credentials. */
export function cliOf(fleet: SecuredFleet, creds: string) {
  return (...args: string[]): Promise<Answer> =>
    fleetban(args, {
      NATS_URL: fleet.url,
      FLEETBAN_NATS_CA: fleet.ca,
      FLEETBAN_NATS_CREDS: creds,
    });
}
