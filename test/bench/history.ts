/**
 * Questions to a record of 10 million failures over 90 days and 1 million bans over 400 days, as the
 * coordinator asks them. FLEETBAN_BENCH_FAILURES makes a smaller record, in the same proportions.
 * FLEETBAN_BENCH_RECORD is the URL of a database that has the record: an earlier run has built it.
 */
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { openHistory, type History } from "../../services/coordinator/history/history.ts";
import { DAY_MS } from "../../services/coordinator/history/partitions.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { TOP_KINDS } from "../../services/wire/api.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { percentile, type Figure } from "./figure.ts";
import { buildRecord, DAYS, TOTAL } from "./history-record.ts";

const ROUNDS = 40;

export async function run(): Promise<Figure[]> {
  const present = process.env["FLEETBAN_BENCH_RECORD"];
  if (present !== undefined) return measureAll(present);
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const began = performance.now();
  await buildRecord(databaseUrl);
  const seconds = (performance.now() - began) / 1000;
  const figures = await measureAll(databaseUrl);
  return [...figures, { name: "history, built", value: TOTAL / seconds, unit: "failures/s" }];
}

async function measureAll(databaseUrl: string): Promise<Figure[]> {
  await using nats = await startTestNats();
  const connection = await connect({ servers: nats.url });
  const log = createLog("bench", "silent");
  const streams = { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 };
  await ensureStreams(connection, streams);
  const retention = { failures: null, bans: null };
  const isLeader = () => false;
  const history = openHistory({ databaseUrl, connection, isLeader, retention, log });
  await eventually("PostgreSQL is reached", () => history.everReached(), 60);
  const figures = [];
  for (const [name, ask] of Object.entries(questions(history))) {
    figures.push(await measure(name, ask));
  }
  await history.close();
  await connection.close();
  const bytes = await sizeOf(databaseUrl);
  return [...figures, { name: "history, on disk", value: bytes / TOTAL, unit: "bytes/failure" }];
}

const number = (below: number) => Math.floor(Math.random() * below);
const some = { limit: 100, after: null };

/** Each call asks for something else. */
function questions(history: History): Record<string, () => Promise<unknown>> {
  const address = () => parseNetwork(`10.${number(170)}.${number(256)}.${number(256)}`)!;
  const network = () => parseNetwork(`10.${number(170)}.${number(256)}.0/24`)!;
  const now = Date.now();
  const day = () => now - number(DAYS) * DAY_MS;
  const frequent = parseNetwork("10.0.0.0")!;
  const list: Record<string, () => Promise<unknown>> = {
    "for status": () => Promise.all([history.hosts(), history.lag()]),
    "by address": () => history.failures({ address: address(), ...some }),
    "by the address of most failures": () => history.failures({ address: frequent, ...some }),
    "by network": () => history.failures({ address: network(), ...some }),
    "by a network of /16": () =>
      history.failures({ address: parseNetwork(`10.${number(170)}.0.0/16`)!, ...some }),
    "by user": () => history.failures({ user: `user${7 + 300 * number(60)}@d7.example`, ...some }),
    "by domain": () => history.failures({ domain: `d${number(300)}.example`, ...some }),
    "by host": () => history.failures({ host: `mx${number(20)}`, ...some }),
    "by time": () => history.failures({ since: day() - DAY_MS, until: day(), ...some }),
    newest: () => history.failures(some),
    "a later page": () => history.failures({ limit: 100, after: `${day()}/5000` }),
    "bans, newest": () => history.bans({ ...some, now }),
    "bans, a later page": () =>
      history.bans({ now, limit: 100, after: `${day()}/00000000-0000-4000-8000-000000000000` }),
    "bans by address": () => history.bans({ address: banned(), now, ...some }),
    "changes of bans by address": () => history.changes({ address: banned(), limit: 100 }),
    audit: () => history.audit({ all: false, ...some }),
    "audit, all": () => history.audit({ all: true, ...some }),
  };
  for (const by of TOP_KINDS) {
    const top = (days: number) =>
      history.topFailures({ by, since: Date.now() - days * DAY_MS, until: Date.now(), limit: 10 });
    list[`top ${by}, 1 day`] = () => top(1);
    list[`top ${by}, 90 days`] = () => top(90);
  }
  return list;
}

const banned = () => parseNetwork(`10.${number(15)}.${number(256)}.${number(256)}`)!;

async function measure(name: string, ask: () => Promise<unknown>): Promise<Figure> {
  const rounds = name.startsWith("top") ? ROUNDS / 4 : ROUNDS;
  for (let round = 0; round < 3; round += 1) await ask();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await ask();
    times.push(performance.now() - began);
  }
  const p50 = percentile(times, 0.5);
  return { name: `history ${name}`, value: p50, unit: "ms", p50, p99: percentile(times, 0.99) };
}

async function sizeOf(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(inhrelid)) AS bytes FROM pg_inherits
     WHERE inhparent IN ('failure'::regclass, 'failure_count'::regclass)`,
  );
  await client.end();
  return Number(rows[0]?.bytes);
}
