/**
 * A whole fleet on this machine: mail hosts with a real Dovecot and an agent each, a centre
 * with nats-server, PostgreSQL and coordinators, an attacker and another client, each a
 * network namespace of its own. The programs are those of dist/.
 */
import { rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import pg from "pg";
import { startChild } from "../../services/standalone/child.ts";
import { starting } from "../../services/process/release.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { postgresUrl } from "../../services/standalone/postgres.ts";
import type { Ban } from "../../services/wire/ban.ts";
import { openDoor } from "./door.ts";
import { startDovecot, type Dovecot } from "./dovecot.ts";
import { eventually } from "./eventually.ts";
import { fleetban } from "./fleetban.ts";
import { startMailClient, type MailClient } from "./mail-client.ts";
import { startNatsCluster, type NatsCluster } from "./nats-cluster.ts";
import { createNetwork, type Namespace } from "./netns.ts";
import { PASSWORD, startTestCluster } from "./postgres-cluster.ts";
import { restartable, type Restartable } from "./restartable.ts";

const PROGRAMS = resolve(import.meta.dirname, "../../dist/services");
const CLI = resolve(import.meta.dirname, "../../dist/cli/main.cjs");

export interface MailHost {
  name: string;
  namespace: Namespace;
  dovecot: Dovecot | undefined;
  /** The log that its agent reads. */
  mailLog: string;
  /** Where its agent keeps its state. */
  stateDir: string;
  agent: Restartable;
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Fleet extends AsyncDisposable {
  hosts: MailHost[];
  attacker: MailClient;
  attackerNamespace: Namespace;
  /** A client that does nothing wrong. */
  client: MailClient;
  centre: Namespace;
  nats: Restartable & { wipe(): Promise<void> };
  /** Only where it was asked for: then `nats` is one of its servers. */
  cluster: NatsCluster | undefined;
  postgres: Restartable;
  /** What a query answers, whole. */
  sql<T>(query: string): Promise<T[]>;
  coordinators: Restartable[];
  /** What the HTTP of a coordinator answers. */
  http(coordinator: number, path: string): Promise<string>;
  /** NATS, as this process reaches it. */
  natsUrl: string;
  /** Runs the fleetban CLI in the centre. */
  cli(...args: string[]): Promise<CommandResult>;
  /** The same from this process, with --json: returns what it printed. */
  ask<T>(...args: string[]): Promise<T>;
  /** Waits until `address` is banned on every host's kernel, or is not. */
  untilInKernel(address: string, expected: boolean, seconds?: number): Promise<void>;
}

export interface FleetOptions {
  hosts?: number;
  coordinators?: number;
  /** Lines of coordinator.yaml besides those that name NATS and PostgreSQL. */
  coordinatorYaml?: string;
  agentYaml?: string;
  /** true: three nats-servers, one JetStream cluster. */
  withCluster?: boolean;
  /** false: no Dovecot, the test writes the logs itself. */
  withDovecot?: boolean;
  authVerbose?: boolean;
  /** Further settings of every Dovecot, in its language. */
  dovecotSettings?: string;
  say?: (line: string) => void;
  /** Rejects when the fleet is wanted no more: what there is of it is taken down. */
  cancelled?: Promise<never>;
}

export const USERS = { alice: "right" } as const;
const NATS_PORT = 4222;
const POSTGRES_PORT = 5432;
const HTTP_PORT = 9480;

export async function createFleet(options: FleetOptions = {}): Promise<Fleet> {
  const { hosts: count = 3, withDovecot = true, say = () => {} } = options;
  const names = Array.from({ length: count }, (_, index) => `mx${index + 1}`);
  const folder = await mkdtemp(join(tmpdir(), "fleetban-fleet-"));
  // However this process ends; programs in it may still be ending, too.
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  await chmod(folder, 0o755); // Dovecot's login processes go in
  const [fleet, release] = await starting<Omit<Fleet, keyof AsyncDisposable>>(async (onRelease) => {
    onRelease(() => rm(folder, { recursive: true, force: true }));
    const network = await createNetwork(["centre", "attacker", "client", ...names]);
    onRelease(() => network[Symbol.asyncDispose]());
    const centre = network.host("centre");
    say(`network: ${names.join(", ")}, centre, attacker, another client`);
    const door = await openDoor(centre, folder);
    onRelease(() => door[Symbol.asyncDispose]());
    const fetchInside = async (url: string) => (await fetch(await door.urls(url))).text();

    const keep = <T extends Restartable>(program: T): T => {
      onRelease(() => program.stop());
      return program;
    };
    const natsFolder = join(folder, "nats");
    const startAlone = (onOutput: (chunk: Buffer) => void) =>
      startNatsServer({
        folder: natsFolder,
        address: centre.address4,
        port: NATS_PORT,
        spawn: centre.spawn,
        onOutput,
      });
    const cluster = options.withCluster
      ? await startNatsCluster({
          folder: natsFolder,
          address: centre.address4,
          spawn: centre.spawn,
          read: fetchInside,
        })
      : undefined;
    cluster?.servers.forEach(keep);
    const nats = keep({
      ...(cluster?.servers[0] ?? (await restartable(startAlone))),
      wipe: () => rm(join(natsFolder, "jetstream"), { recursive: true, force: true }),
    });
    const postgres = keep(
      await restartable(
        (onOutput) =>
          startTestCluster({
            folder: join(folder, "postgres"),
            port: POSTGRES_PORT,
            spawn: centre.spawn,
            onOutput,
          }),
        "SIGQUIT",
      ),
    );
    say("centre: nats-server and PostgreSQL are up");

    const environment = {
      ...process.env,
      NATS_URL: cluster?.url ?? `nats://${centre.address4}:${NATS_PORT}`,
      DATABASE_URL: postgresUrl({ port: POSTGRES_PORT, password: PASSWORD }, "postgres"),
      FLEETBAN_HOME: join(folder, "no-home"),
    };
    const startProgram = (
      namespace: Namespace,
      program: string,
      config: string,
      extra: NodeJS.ProcessEnv,
      onOutput: (chunk: Buffer) => void,
    ) =>
      startChild(process.execPath, {
        args: [join(PROGRAMS, program, "main.js"), "run", "--config", config],
        env: { ...environment, ...extra },
        spawn: namespace.spawn,
        onOutput,
      });

    const coordinators: Restartable[] = [];
    for (let index = 0; index < (options.coordinators ?? 1); index += 1) {
      const config = join(folder, `coordinator-${index}.yaml`);
      await writeFile(config, `id: c${index + 1}\n${options.coordinatorYaml ?? ""}\n`);
      const extra = { FLEETBAN_HTTP_LISTEN: `127.0.0.1:${HTTP_PORT + index}` };
      coordinators.push(
        keep(
          await restartable((onOutput) =>
            startProgram(centre, "coordinator", config, extra, onOutput),
          ),
        ),
      );
    }
    for (const coordinator of coordinators) {
      await eventually(
        "the coordinator is ready",
        () => coordinator.log().includes("coordinator is ready"),
        30,
      );
    }
    say("centre: coordinator is up");

    const hosts: MailHost[] = [];
    for (const name of names) {
      const namespace = network.host(name);
      const own = join(folder, name);
      await mkdir(own);
      let mailLog = join(own, "mail.log");
      let dovecot: Dovecot | undefined;
      if (withDovecot) {
        const started = await startDovecot({
          folder: own,
          name: `fleetban-${name}`,
          listen: [namespace.address4, namespace.address6],
          users: USERS,
          authVerbose: options.authVerbose ?? false,
          settings: options.dovecotSettings ?? "",
          spawn: namespace.spawn,
        });
        onRelease(() => started.stop());
        dovecot = started;
        mailLog = started.log;
      }
      const config = join(own, "agent.yaml");
      const source = `sources:\n  - name: mail-log\n    path: ${mailLog}\n    startAt: beginning\n`;
      await writeFile(config, `host: ${name}\n${source}${options.agentYaml ?? ""}\n`);
      const stateDir = join(own, "state");
      const extra = { FLEETBAN_STATE_DIR: stateDir };
      const agent = keep(
        await restartable((onOutput) => startProgram(namespace, "agent", config, extra, onOutput)),
      );
      hosts.push({ name, namespace, dovecot, mailLog, stateDir, agent });
    }

    const cli = async (...args: string[]): Promise<CommandResult> => {
      const chunks: Buffer[] = [];
      const errors: Buffer[] = [];
      const child = centre.spawn(process.execPath, [CLI, ...args], {
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
      child.stderr?.on("data", (chunk: Buffer) => errors.push(chunk));
      const code = await new Promise<number>((done) => {
        child.once("close", (status) => done(status ?? -1));
      });
      const text = (parts: Buffer[]) => Buffer.concat(parts).toString();
      return { code, stdout: text(chunks), stderr: text(errors) };
    };
    const reached = { NATS_URL: await door.urls(environment.NATS_URL) };
    const ask = async <T>(...args: string[]): Promise<T> => {
      const { code, stdout, stderr } = await fleetban([...args, "--json"], reached);
      if (code !== 0) throw new Error(`fleetban ${args.join(" ")}: exit ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    };
    await eventually(
      "every host is up and current",
      async () => {
        const status = await ask<{ hosts: { up: number; current: number } }>("status");
        return status.hosts.current === count;
      },
      30,
    );
    if (withDovecot) say(`hosts: Dovecot and agent are up on ${names.join(", ")}`);

    const attackerNamespace = network.host("attacker");
    const attacker = startMailClient(attackerNamespace.spawn);
    onRelease(() => attacker[Symbol.asyncDispose]());
    const client = startMailClient(network.host("client").spawn);
    onRelease(() => client[Symbol.asyncDispose]());

    return {
      ...{ hosts, attacker, attackerNamespace, client, centre, nats, cluster },
      ...{ postgres, coordinators },
      http: (index, path) => fetchInside(`http://127.0.0.1:${HTTP_PORT + index}${path}`),
      sql: async (query) => queryAll(await door.urls(environment.DATABASE_URL), query),
      ...{ natsUrl: reached.NATS_URL, cli, ask },
      async untilInKernel(address, expected, seconds = 20) {
        const set = `fleetban-dovecot-${address.includes(":") ? 6 : 4}`;
        for (const { name, namespace } of hosts) {
          await eventually(
            `${address} ${expected ? "is" : "is not"} banned in the kernel of ${name}`,
            async () => {
              const members = await namespace.run("ipset", ["list", set]);
              return members.includes(`\n${address} `) === expected;
            },
            seconds,
          );
        }
      },
    };
  }, options.cancelled);
  return { ...fleet, [Symbol.asyncDispose]: release };
}

async function queryAll<T>(url: string, query: string): Promise<T[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(query)).rows as T[];
  } finally {
    await client.end();
  }
}

export interface BanList {
  bans: Ban[];
}

/** Lines of a log file so far. */
export async function readLines(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").slice(0, -1);
}
