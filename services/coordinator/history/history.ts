/** The record of the fleet: recorders that follow the streams write it, and the API reads it. */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import type { HostStatus } from "../../wire/status.ts";
import { openDatabase } from "./database.ts";
import { createHistoryQuestions, type HistoryQuestions } from "./history-questions.ts";
import { createHostRecord } from "./host-record.ts";
import { startRecordUpkeep, type Retention } from "./record-upkeep.ts";
import { startRecorders } from "./recorders.ts";
import { createWhereabouts, type LookUp } from "./whereabouts.ts";

export { HistoryUnavailable } from "./database.ts";

export interface History extends HistoryQuestions {
  /** PostgreSQL answered the last time it was asked. */
  reachable(): boolean;
  everReached(): boolean;
  /** Why it records nothing now, although it is there; undefined: it does, or is away. */
  stalled(): string | undefined;
  /** Messages that are not recorded yet; undefined: not known, for NATS does not tell. */
  lag(): Promise<number | undefined>;
  /** Revision of the bans bucket up to which everything is recorded. */
  recordedRevision(): Promise<number>;
  /** Whether NATS was found, since the last call, to have lost messages that are on record. */
  takeRolledBack(): boolean;
  /** false: it knew nothing of it. */
  forgetHost(host: string): Promise<boolean>;
  /** Notes when a host was heard; not every time, and lost when PostgreSQL is away. */
  hostSeen(status: HostStatus, at: number): void;
  close(): Promise<void>;
}

export interface HistoryOptions {
  databaseUrl: string;
  connection: NatsConnection;
  /** Is it this coordinator that records, at this moment? */
  isLeader: () => boolean;
  retention: Retention;
  /** What the operator's databases say of an address; undefined: there are none. */
  lookUp?: LookUp | undefined;
  log: Log;
}

export function openHistory(options: HistoryOptions): History {
  const { databaseUrl, connection, isLeader, retention, log } = options;
  const whereabouts = createWhereabouts(options.lookUp);
  const database = openDatabase({ url: databaseUrl, log });
  const recorders = startRecorders({ connection, database, whereabouts, isLeader, log });
  const hosts = createHostRecord(database);
  const isDue = () => isLeader() && database.everReached();
  const upkeep = startRecordUpkeep({ databaseUrl, retention, isDue, log });

  return {
    ...createHistoryQuestions(database),
    reachable: () => database.reachable(),
    everReached: () => database.everReached(),
    stalled: () => (database.reachable() ? recorders.stalled() : undefined),
    lag: () => recorders.lag(),
    recordedRevision: () => recorders.recordedRevision(),
    takeRolledBack: () => recorders.takeRolledBack(),
    forgetHost: hosts.forget,
    hostSeen: hosts.seen,
    async close() {
      await Promise.all([recorders.stop(), upkeep.stop(), hosts.close()]);
      await database.close();
    },
  };
}
