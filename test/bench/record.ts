/** From a stream full of failures to committed rows, by the recorder as it runs in the coordinator. */
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { openHistory } from "../../services/coordinator/history/history.ts";
import { ensureStreams } from "../../services/coordinator/streams.ts";
import { createLog } from "../../services/daemon/log.ts";
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

async function measure(failures: number, batch: number): Promise<number> {
  const nats = await startTestNats();
  const postgres = await startTestPostgres();
  try {
    const databaseUrl = await postgres.createDatabase();
    const connection = await connect({ servers: nats.url });
    await ensureStreams(connection, { longestFindtime: 1200, replicas: 1 });
    const warmUp = openHistory({ databaseUrl, connection, log: createLog("bench", "silent") });
    await eventually("the tables are there", () => warmUp.reachable(), 30);
    await warmUp.close();
    await storeFailures(connection, { hosts: HOSTS, failures, batch });

    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const began = performance.now();
    const history = openHistory({ databaseUrl, connection, log: createLog("bench", "silent") });
    await eventually(
      "all failures are recorded",
      async () => {
        // Cheaper than to count the rows again and again, which would be measured, too.
        const lag = await history.lag();
        return lag === 0;
      },
      120,
    );
    const seconds = (performance.now() - began) / 1000;
    const { rows } = await client.query<{ count: string }>("SELECT count(*) FROM failure");
    if (Number(rows[0]?.count) !== failures)
      throw new Error(`${rows[0]?.count} rows of ${failures}`);
    await client.end();
    await history.close();
    await connection.close();
    return failures / seconds;
  } finally {
    await postgres[Symbol.asyncDispose]();
    await nats[Symbol.asyncDispose]();
  }
}
