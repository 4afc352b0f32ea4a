/** `fleetban-coordinator check`: would this coordinator do its work here? */
import pg from "pg";
import { checkNats, createCheckReport, type CheckReport } from "../../nats/check.ts";
import { EXIT, type ExitCode } from "../../process/exit.ts";
import { natsOptions } from "../../nats/connect.ts";
import type { CoordinatorConfig } from "../coordinator-config.ts";
import { checkWeb } from "../../web/server/check-web.ts";
import { whyNotConnected } from "../history/connection-trouble.ts";
import { checkNatsRights } from "./coordinator-rights-check.ts";

/** Writes a line for every part; returns the code of the first that failed. Changes nothing. */
export async function checkCoordinator(
  config: CoordinatorConfig,
  write: (text: string) => void,
): Promise<ExitCode> {
  const report = createCheckReport(write);
  report.ok("configuration", "can be used");
  const { nats, database } = config;
  await checkNats(nats, () => natsOptions(nats, "fleetban-coordinator check"), report);
  if (report.code() === EXIT.ok) await checkNatsRights(nats, report);
  await checkPostgres(database.url, report);
  await checkWeb(config.web, report, Date.now());
  return report.code();
}

async function checkPostgres(url: string, report: CheckReport): Promise<void> {
  const { host } = new URL(url);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on("error", () => {}); // the query that is under way fails, and says why
  try {
    await client.connect();
    const { rows } = await client.query<{ tables: string | null }>(
      `SELECT to_regclass('_prisma_migrations') AS tables`,
    );
    const isNew = rows[0]?.tables === null;
    report.ok("PostgreSQL", isNew ? `${host}; the first start makes the tables` : host);
  } catch (error) {
    report.failed("PostgreSQL", `${host}: ${whyNotConnected(error)}`, EXIT.unavailable);
  } finally {
    await client.end().catch(() => {});
  }
}
