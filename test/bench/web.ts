/**
 * The web page at a million bans in force and a record of 10 million failures: how long questions take
 * over HTTP, how large the page is and when Chromium shows it, and what 20 open pages cost the
 * coordinator: its memory, and the time until a ban is written. FLEETBAN_BENCH_FAILURES makes a smaller
 * record, and a tenth as many bans; FLEETBAN_BENCH_BANS says how many bans are in force instead.
 *
 * A ban's time is that from the failure that completes it, given to NATS, to the ban in the bucket.
 * Rounds with pages and rounds without take turns, so that whatever else happens on the machine meets
 * both.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { startChild, freePort, type Child } from "../../services/standalone/child.ts";
import { TOP_KINDS } from "../../services/wire/api.ts";
import { declareComplete, writeBans } from "../harness/agent-host.ts";
import { eventually } from "../harness/eventually.ts";
import { probeMemory, type MemoryProbe } from "../harness/program-memory.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { createWebClient, type WebClient } from "../harness/web-client.ts";
import { benchAddress } from "./failures.ts";
import { percentile, type Figure } from "./figure.ts";
import { buildRecord, TOTAL } from "./history-record.ts";
import { measureBans } from "./web-bans.ts";
import { measureFirstView } from "./web-first-view.ts";
import { measurePagesMemory } from "./web-memory.ts";
import { openPages } from "./web-pages.ts";

const COORDINATOR = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");
const BANS = Number(process.env["FLEETBAN_BENCH_BANS"] ?? TOTAL / 10);
const PAGES = 20;
const ROUNDS = 20;
const SUMMARIES = 300;
/** Of bans: with pages and without. */
const BLOCKS = 6;
const PATIENCE_SECONDS = 900;
const DAY_MS = 86_400_000;

interface Served extends AsyncDisposable {
  site: string;
  client: WebClient;
  connection: NatsConnection;
  memory: MemoryProbe;
}

export async function run(): Promise<Figure[]> {
  await using served = await serve();
  const { site, client, connection, memory } = served;
  const figures = [await measure("web, summary", SUMMARIES, () => ask(client, "status.show", {}))];
  for (const [name, [endpoint, request]] of Object.entries(lists())) {
    figures.push(await measure(`web, ${name}`, ROUNDS, () => ask(client, endpoint, request)));
  }
  figures.push({ name: "web, page, compressed", value: (await sizeOf(site)) / 1000, unit: "kB" });
  figures.push(await measureFirstView(site, client));
  const times = { without: [] as number[], with: [] as number[] };
  for (let block = 0; block < BLOCKS; block += 1) {
    times.without.push(...(await measureBans(connection)));
    await using pages = await openPages({ cookie: client.cookie, site }, PAGES);
    times.with.push(...(await measureBans(connection)));
    figures.push(...(block === BLOCKS - 1 ? [pages.figure()] : []));
  }
  const ban = (name: string, all: readonly number[]): Figure => {
    const p50 = percentile(all, 0.5);
    return { name, value: p50, unit: "ms", p50, p99: percentile(all, 0.99) };
  };
  return [
    ...figures,
    ban("web, a ban without pages", times.without),
    ban(`web, a ban with ${PAGES} pages`, times.with),
    ...(await measurePagesMemory({
      ...{ memory, count: PAGES, work: () => measureBans(connection) },
      open: () => openPages({ cookie: client.cookie, site }, PAGES),
    })),
  ];
}

/** A coordinator with its record and bans, and somebody who is logged in. */
async function serve(): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-bench-web-"));
  const nats = await startTestNats();
  const postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  await buildRecord(databaseUrl);
  const connection = await connect({ servers: nats.url });
  await ensureStreams(connection, {
    ...{ longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 },
  });
  await writeBans(
    connection,
    Array.from({ length: BANS }, (_, index) => benchAddress(index)),
  );
  // Otherwise the coordinator would restore the bucket from the record while the page is measured.
  await declareComplete(connection);
  const [port, httpPort] = [await freePort(), await freePort()];
  const token = randomBytes(32).toString("base64url");
  const config = join(folder, "coordinator.yaml");
  await writeFile(
    config,
    `id: c1\nhttp: { listen: "127.0.0.1:${httpPort}" }\nweb: { listen: "127.0.0.1:${port}" }\nguard: { bansPerMinute: off, perHost: off }\n`,
  );
  const memory = await probeMemory();
  const coordinator = await startChild(process.execPath, {
    args: [COORDINATOR, "run", "--config", config],
    env: {
      PATH: process.env["PATH"],
      NATS_URL: nats.url,
      DATABASE_URL: databaseUrl,
      FLEETBAN_WEB_TOKEN: token,
      ...memory.environment,
    },
  });
  const site = `http://127.0.0.1:${port}`;
  const client = await logIn(site, token);
  await eventually(
    "every ban is on record",
    async () => {
      const { bans, postgres: record } = await ask(client, "status.show", {});
      return Number(bans) >= BANS && (record as { lag: number | null }).lag === 0;
    },
    PATIENCE_SECONDS,
  );
  return {
    ...{ site, client, connection, memory },
    async [Symbol.asyncDispose]() {
      await connection.close();
      await stop(coordinator);
      await Promise.all([nats[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const stop = (coordinator: Child) => coordinator.stop();

function logIn(site: string, token: string): Promise<WebClient> {
  const client = createWebClient(site);
  return eventually(
    "the page is there",
    async () => (await client.post("login", { token })).status === 200 && client,
    PATIENCE_SECONDS,
  );
}

async function ask(client: WebClient, endpoint: string, request: object) {
  const { status, body } = await client.post(endpoint, request);
  if (status !== 200) throw new Error(`${endpoint}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** The first page of every list, as the browser asks for it, and what stands on the pages beside. */
function lists(): Record<string, [endpoint: string, request: object]> {
  const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
  const page = { limit: 100, after: null };
  return {
    "bans in force": ["ban.list", { all: false, ...page }],
    "bans of a network": ["ban.list", { all: false, within: "10.1.0.0/16", ...page }],
    "bans of a wide network": ["ban.list", { all: false, within: "10.0.0.0/12", ...page }],
    "bans with a word": ["ban.list", { all: false, reason: "test", ...page }],
    "bans without a word": ["ban.list", { all: false, reason: "nothing", ...page }],
    "bans by a maker": ["ban.list", { all: false, by: "decider", ...page }],
    "bans since an hour": ["ban.list", { all: false, since: ago(1 / 24), ...page }],
    "bans held": ["ban.list", { all: false, held: true, ...page }],
    "bans on record": ["ban.list", { all: true, ...page }],
    "an address": ["ban.show", { address: benchAddress(7), trace: true }],
    failures: ["failure.list", page],
    "failures of a user": ["failure.list", { user: "user7@d7.example", ...page }],
    hosts: ["host.list", { limit: 100 }],
    allowlist: ["allow.list", { limit: 100 }],
    policy: ["jail.list", { limit: 100 }],
    audit: ["audit.list", { all: false, ...page }],
    rates: ["rate.show", {}],
    ...Object.fromEntries(
      TOP_KINDS.map((by) => [
        `top ${by}, 1 day`,
        ["failure.top", { by, since: ago(1), limit: 20 }],
      ]),
    ),
    "series, 1 day": ["series.show", { since: ago(1) }],
    "series, 7 days": ["series.show", { since: ago(7) }],
    "series, 90 days": ["series.show", { since: ago(90) }],
    "an account, 7 days": ["account.show", { user: "user0@d0.example", since: ago(7) }],
  };
}

async function measure(
  name: string,
  rounds: number,
  work: () => Promise<unknown>,
): Promise<Figure> {
  for (let round = 0; round < 3; round += 1) await work();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  const p50 = percentile(times, 0.5);
  return { name, value: p50, unit: "ms", p50, p99: percentile(times, 0.99) };
}

/** Bytes of everything that a browser loads before the first question, as they cross the network. */
async function sizeOf(site: string): Promise<number> {
  const index = await (await fetch(`${site}/`)).text();
  const assets = [...index.matchAll(/(?:src|href)="([^"]*assets\/[^"]+)"/g)].map(
    ([, path = ""]) => path,
  );
  const sizes = [`${site}/`, ...assets.map((path) => new URL(path, `${site}/`).href)].map(bytesOf);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

function bytesOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { "accept-encoding": "br, gzip" } }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () => resolve(bytes));
      response.on("error", reject);
    }).on("error", reject);
  });
}
