/** Notifications as a coordinator sends them, on a real NATS whose bans the test writes. */
import { randomUUID } from "node:crypto";
import { createBucketWriter } from "../../services/nats/compare-and-set.ts";
import { startNotifier, type Notifier } from "../../services/coordinator/notify/notifier.ts";
import { notifyConfig } from "../../services/coordinator/notify/notify-config.ts";
import { openSinks } from "../../services/coordinator/notify/open-sinks.ts";
import type { Fleet } from "../../services/coordinator/notify/condition-watcher.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { encodeBan, type Ban } from "../../services/wire/ban.ts";
import { BANS_BUCKET, banKey } from "../../services/wire/subjects.ts";
import type { NatsConnection } from "@nats-io/nats-core";

export const EMPTY_FLEET: Fleet = { warnings: [], rows: [], stale: null };

export function ensureBans(connection: NatsConnection): Promise<string[]> {
  const wanted = { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 20 };
  return ensureStreams(connection, wanted);
}

export interface TestNotifierOptions {
  connection: NatsConnection;
  /** As in coordinator.yaml. */
  sinks: readonly Record<string, unknown>[];
  whois?: Record<string, unknown>;
  folder: string;
  environment?: Record<string, string>;
  isLeader?: () => boolean;
  readFleet?: () => Promise<Fleet | undefined>;
}

export function startTestNotifier(options: TestNotifierOptions): Notifier {
  const { connection, folder, environment = {}, isLeader = () => true } = options;
  const { sinks, whois = { ask: false }, readFleet = () => Promise.resolve(EMPTY_FLEET) } = options;
  const config = notifyConfig.parse({ sinks, whois });
  const now = Date.now;
  const { sinks: opened } = openSinks(config, { folder, environment, jails: ["dovecot"], now });
  const log = createLog("notify.test", "silent");
  const notifier = startNotifier({ connection, sinks: opened, replicas: 1, isLeader, now, log });
  notifier.watchFleet(readFleet);
  return notifier;
}

export function makeBan(address: string, changes: Partial<Ban> = {}): Ban {
  const now = Date.now();
  return {
    v: 1,
    change: randomUUID(),
    jail: "dovecot",
    address: parseNetwork(address)!,
    state: "active",
    startsAt: now,
    until: now + 1_200_000,
    changedAt: now,
    reason: "5 failures on 2 hosts within 9s",
    offence: 1,
    evidence: [
      { host: "mx1", failures: 3 },
      { host: "mx2", failures: 2 },
    ],
    by: "decider",
    immuneUntil: null,
    countedUntil: now,
    ...changes,
  };
}

/** Writes a ban as the ban store does; `expected` is the key's revision. */
export function writeBan(connection: NatsConnection, ban: Ban, expected = 0): Promise<number> {
  const writer = createBucketWriter(connection, BANS_BUCKET);
  return writer.put(banKey(ban.jail, ban.address), encodeBan(ban), expected, 5_000);
}
