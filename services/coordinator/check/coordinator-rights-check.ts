/** Whether NATS lets these credentials do what a coordinator does, tried without changing anything. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, PermissionViolationError } from "@nats-io/transport-node";
import type { CheckReport } from "../../nats/check.ts";
import { EXIT } from "../../process/exit.ts";
import type { NatsConfig } from "../../nats/nats-config.ts";
import { natsOptions } from "../../nats/connect.ts";
import {
  BANS_BUCKET,
  FAILURES_STREAM,
  LEASE_BUCKET,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";

const WITHIN_MS = 3_000;

export async function checkNatsRights(nats: NatsConfig, report: CheckReport): Promise<void> {
  const options = await natsOptions(nats, "fleetban-coordinator check");
  const connection = await connect({ ...options, timeout: WITHIN_MS });
  try {
    const manager = await jetstreamManager(connection, { timeout: WITHIN_MS, checkAPI: false });
    const buckets = [BANS_BUCKET, SETTINGS_BUCKET, LEASE_BUCKET].map((bucket) => `KV_${bucket}`);
    const refused: string[] = [];
    for (const stream of [FAILURES_STREAM, ...buckets]) {
      const isRefused = await manager.streams.info(stream).then(
        () => false,
        // A stream that is missing is made by the first start.
        (error: unknown) => isPermission(error),
      );
      if (isRefused) refused.push(stream);
    }
    if (refused.length === 0) report.ok("NATS rights", "may use the fleet's streams and buckets");
    else {
      const text = `NATS refuses ${refused.join(", ")} to these credentials: they must be a coordinator's`;
      report.failed("NATS rights", text, EXIT.permission);
    }
  } finally {
    await connection.close();
  }
}

function isPermission(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof PermissionViolationError;
}
