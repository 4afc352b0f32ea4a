/** The record in a PostgreSQL of the test's own, as the coordinator reads it and as a client sees it. */
import pg from "pg";
import { migrate } from "../../prisma/migrate.ts";
import { openDatabase, type Database } from "../../services/coordinator/history/database.ts";
import { createLog } from "../../services/process/log.ts";

export interface RecordDatabase extends AsyncDisposable {
  database: Database;
  client: pg.Client;
}

/** Migrates the database at `url`, and opens it. */
export async function openRecord(url: string): Promise<RecordDatabase> {
  await migrate(url);
  const database = openDatabase({ url, log: createLog("test", "silent") });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    ...{ database, client },
    async [Symbol.asyncDispose]() {
      await client.end();
      await database.close();
    },
  };
}
