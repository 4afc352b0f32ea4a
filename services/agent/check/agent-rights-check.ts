/** Whether NATS lets this host do what an agent does, tried without storing anything. */
import { reasonOf } from "../../process/reason.ts";
import { jetstream, JetStreamApiError, jetstreamManager } from "@nats-io/jetstream";
import { connect, PermissionViolationError } from "@nats-io/transport-node";
import type { CheckReport } from "../../nats/check.ts";
import { EXIT } from "../../process/exit.ts";
import type { Jail } from "../../wire/settings.ts";
import {
  BANS_BUCKET,
  failureSubject,
  loginsSubject,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";
import type { AgentConfig } from "../agent-config.ts";
import { agentNatsOptions } from "../nats-options.ts";

const WITHIN_MS = 3_000;
/** NATS's code for a message that names another stream than the one that would store it. */
const WRONG_STREAM = 10_060;

/** `jails`: those of the fleet, as this host knew them last. */
export async function checkNatsRights(
  config: AgentConfig,
  jails: readonly Jail[],
  report: CheckReport,
): Promise<void> {
  const connection = await connect({ ...(await agentNatsOptions(config)), timeout: WITHIN_MS });
  try {
    const tryPublishing = async (subject: string, what: string) => {
      const reason = await whyNot(async () => {
        // The stream refuses it for its name, after NATS has looked at the rights: nothing is stored.
        const expect = { streamName: "fleetban-check" };
        const js = jetstream(connection, { timeout: WITHIN_MS });
        await js.publish(subject, new Uint8Array(), { expect, retries: 1 });
      });
      if (reason === undefined) report.ok("NATS rights", `may publish ${what}`);
      else report.failed("NATS rights", `${subject}: ${reason}`, EXIT.permission);
    };
    for (const jail of new Set(config.sources.map((source) => source.jail))) {
      await tryPublishing(failureSubject(jail, config.host), `failures of jail ${jail}`);
    }
    if (jails.some(({ knownGood }) => knownGood !== undefined)) {
      await tryPublishing(loginsSubject(config.host), "successful logins");
    }
    const manager = await jetstreamManager(connection, { timeout: WITHIN_MS, checkAPI: false });
    for (const bucket of [BANS_BUCKET, SETTINGS_BUCKET]) {
      const reason = await whyNot(() => manager.streams.info(`KV_${bucket}`));
      if (reason === undefined) report.ok("NATS rights", `may read ${bucket}`);
      else report.failed("NATS rights", `${bucket}: ${reason}`, EXIT.permission);
    }
  } finally {
    await connection.close();
  }
}

/** undefined: it may be done. */
async function whyNot(attempt: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === WRONG_STREAM) return undefined;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    if (cause instanceof PermissionViolationError) {
      return "NATS refuses it to these credentials: they must be those of an agent of this name";
    }
    const text = reasonOf(error);
    return `${text}; streams are made by the coordinator's first start`;
  }
}
