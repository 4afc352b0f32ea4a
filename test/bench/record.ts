/** From a stream full of failures to committed rows, by the recorder as it runs in the coordinator. */
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { openHistory } from "../../services/coordinator/history/history.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { storeFailures } from "./failures.ts";
import type { Figure } from "./figure.ts";

const HOSTS = 1_000;

export async function run(): Promise<Figure[]> {
  const unit = "failures/s";
  return [
    { name: "record", value: await measure(300_000, 50), unit, hosts: HOSTS },
    { name: "record, one failure a message", value: await measure(100_000, 1), unit, hosts: HOSTS },
  ];
}

/** From the first batch that is committed to the last. */
async function measure(failures: number, batch: number): Promise<number> {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const connection = await connect({ servers: nats.url });
  const log = createLog("bench", "silent");
  await ensureStreams(connection, {
    longestFindtime: 1200,
    replicas: 1,
    failuresMaxBytes: 2 ** 26,
  });
  const warmUp = openHistory({
    databaseUrl,
    connection,
    isLeader: () => true,
    retention: { failures: null, bans: null },
    log,
  });
  await eventually("the tables are there", () => warmUp.reachable(), 30);
  await warmUp.close();
  await storeFailures(connection, { hosts: HOSTS, failures, batch });

  const history = openHistory({
    databaseUrl,
    connection,
    isLeader: () => true,
    retention: { failures: null, bans: null },
    log,
  });
  const total = failures / batch;
  const first = await eventually(
    "the first failures are recorded",
    async () => {
      const lag = (await history.lag()) ?? 0;
      return lag > 0 && lag < total && { lag, at: performance.now() };
    },
    120,
  );
  // Cheaper than to count the rows again and again, which would be measured, too.
  await eventually("all failures are recorded", async () => (await history.lag()) === 0, 120);
  const seconds = (performance.now() - first.at) / 1000;
  const recorded = await countRows(databaseUrl);
  if (recorded !== failures) throw new Error(`${recorded} rows of ${failures}`);
  await history.close();
  await connection.close();
  return (first.lag * batch) / seconds;
}

async function countRows(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<{ count: string }>("SELECT count(*) FROM failure");
  await client.end();
  return Number(rows[0]?.count);
}
