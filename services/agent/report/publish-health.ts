/**
 * Whether NATS stores what this host publishes. The agent sends a failure that NATS
 * rejects again and again. Nothing is lost, because the log still has the line. But the failure does
 * not count until somebody repairs the cause, so operators must know. A moment without a leader in a
 * cluster is no trouble.
 */
import { JetStreamApiError } from "@nats-io/jetstream";
import { InvalidArgumentError, PermissionViolationError, RequestError } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";

export interface PublishHealth {
  /** It was not stored. */
  failed(error: unknown): void;
  stored(): void;
  /** Why nothing is stored, in words; undefined: it is, or was a moment ago. */
  trouble(): string | undefined;
}

export interface PublishHealthOptions {
  /** What is published, for the log. */
  what: "failures" | "logins";
  /** Milliseconds, of any beginning. */
  now: () => number;
  /** Otherwise NATS is away, which is said elsewhere. */
  isConnected: () => boolean;
  log: Log;
}

/** A cluster finds a new leader in some 5 s. */
const PATIENCE_MS = 15_000;
const SAY_EVERY_MS = 600_000;
/** NATS: the stream has no room, or not this much. */
const STORE_FAILED = 10077;

export function createPublishHealth({
  what,
  now,
  isConnected,
  log,
}: PublishHealthOptions): PublishHealth {
  let since: number | undefined;
  let trouble: string | undefined;
  let said = { reason: "", at: -Infinity };
  return {
    failed(error) {
      if (!isConnected()) {
        since = undefined;
        return;
      }
      since ??= now();
      const isOld = now() - since >= PATIENCE_MS;
      if (!isRefusal(error) && !isOld && trouble === undefined) return;
      trouble = reasonOf(error);
      if (said.reason === trouble && now() - said.at < SAY_EVERY_MS) return;
      said = { reason: trouble, at: now() };
      log.error({ reason: trouble }, `NATS does not store ${what} of this host, keeps trying`);
    },
    stored() {
      if (trouble !== undefined) log.info(`NATS stores ${what} of this host again`);
      since = undefined;
      trouble = undefined;
      said = { reason: "", at: -Infinity };
    },
    trouble: () => trouble,
  };
}

/** Will it be refused again until somebody changes something? */
function isRefusal(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.code === STORE_FAILED || error.status < 500;
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some(
    (each) => each instanceof PermissionViolationError || each instanceof InvalidArgumentError,
  );
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const said = cause instanceof PermissionViolationError ? cause : error;
  // The client's own words, that JetStream is not enabled, mislead.
  if (cause instanceof RequestError && cause.isNoResponders()) {
    return "there is no stream that takes them, or no server leads it: see fleetban status";
  }
  return said instanceof Error ? said.message : String(said);
}
