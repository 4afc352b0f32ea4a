/** The record of the fleet: recorders that follow the streams write it, and the API reads it. */
import type { NatsConnection } from "@nats-io/nats-core";
import { bucketStream } from "../../nats/follow-bucket.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import { decodeBan, type Ban } from "../../wire/ban.ts";
import type { AuditRow, FailureRow } from "../../wire/api.ts";
import { decodeFailureBatch } from "../../wire/failure.ts";
import type { Allowed } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import { BANS_BUCKET, FAILURES_STREAM, SETTINGS_BUCKET } from "../../wire/subjects.ts";
import { byServersClock, storedAtOf } from "../decide/clock-correction.ts";
import { applyAllowed, decodeAllowedChange, findAllowed } from "./allowed.ts";
import { decodeAudited, insertAudited } from "./audit.ts";
import {
  applyOperatorSettings,
  decodeOperatorSetting,
  findOperatorSettings,
  type OperatorSetting,
} from "./operator-settings.ts";
import { findAudit, type AuditQuery } from "./audit-queries.ts";
import {
  findBans,
  findBansOf,
  findBansToRestore,
  findChanges,
  type BanQuery,
} from "./ban-queries.ts";
import { openDatabase } from "./database.ts";
import { createHostRecord } from "./host-record.ts";
import {
  eraseFailures,
  findErasable,
  type Erasable,
  type EraseOrder,
  type FoundFailures,
} from "./erase-failures.ts";
import { findFailures, type FailureQuery } from "./failure-queries.ts";
import { findSeries, type Series, type SeriesQuery } from "./failure-series.ts";
import { findAccount, type AccountFailures, type AccountQuery } from "./account-queries.ts";
import { findTop, type Top, type TopQuery } from "./failure-top.ts";
import { insertBanChanges } from "./insert.ts";
import type { Marked } from "./marks.ts";
import { createPlaces } from "./place.ts";
import { replayFailures, type Replayed, type ReplayQuery } from "./replay-failures.ts";
import { startRecordUpkeep, type Retention } from "./record-upkeep.ts";
import { startRecorder } from "./recorder.ts";
import { recordFailures } from "./reported.ts";
import { createWhereabouts, type LookUp } from "./whereabouts.ts";

export { HistoryUnavailable } from "./database.ts";

/** Queries throw HistoryUnavailable while PostgreSQL is away. */
export interface History {
  /** PostgreSQL answered the last time it was asked. */
  reachable(): boolean;
  everReached(): boolean;
  /** Why it records nothing now, although it is there; undefined: it does, or is away. */
  stalled(): string | undefined;
  /** Messages that are not recorded yet; undefined: not known, for NATS does not tell. */
  lag(): Promise<number | undefined>;
  /** Revision of the bans bucket up to which everything is recorded. */
  recordedRevision(): Promise<number>;
  /** `keptSeconds`: bans that have ended no longer ago are restored, too. */
  bansToRestore(now: number, keptSeconds: number): Promise<Ban[]>;
  /** The last state of each ban of these addresses that is still remembered, by their begin. */
  bansOf(addresses: readonly Address[], now: number, keptSeconds: number): Promise<Ban[]>;
  allowlist(): Promise<Allowed[]>;
  bans(query: BanQuery & { now: number }): Promise<Marked<Ban>[]>;
  operatorSettings(): Promise<OperatorSetting[]>;
  changes(query: Omit<BanQuery, "after">): Promise<Ban[]>;
  audit(query: AuditQuery): Promise<Marked<AuditRow>[]>;
  failures(query: FailureQuery): Promise<Marked<FailureRow>[]>;
  topFailures(query: TopQuery): Promise<Top>;
  series(query: SeriesQuery): Promise<Series>;
  account(query: AccountQuery): Promise<AccountFailures>;
  replay(query: ReplayQuery): Promise<Replayed>;
  /** Names of autonomous systems, as far as they are known. */
  systemNames(numbers: readonly number[]): Promise<ReadonlyMap<number, string>>;
  erasable(whose: Erasable): Promise<FoundFailures>;
  /** Erases until `isTimeOver`; returns how many failures were erased. */
  erase(whose: Erasable, order: EraseOrder, isTimeOver: () => boolean): Promise<number>;
  hosts(): Promise<{ host: string; lastSeenAt: number }[]>;
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

const isOfAllowlist = ({ subject }: { subject: string }) =>
  subject.startsWith(`$KV.${SETTINGS_BUCKET}.allow.`);

export function openHistory(options: HistoryOptions): History {
  const { databaseUrl, connection, isLeader, retention, log } = options;
  const whereabouts = createWhereabouts(options.lookUp);
  const database = openDatabase({ url: databaseUrl, log });
  let isRolledBack = false;
  const onRolledBack = () => {
    isRolledBack = true;
  };
  const common = { connection, places: createPlaces(database), isLeader, log };
  const failures = startRecorder({
    ...common,
    stream: FAILURES_STREAM,
    decode: (message) =>
      byServersClock(decodeFailureBatch(message.data, message.subject), storedAtOf(message)),
    record: (batches) =>
      database.ask(async (prisma) => {
        await recordFailures(prisma, batches, whereabouts);
        await whereabouts.recordNames(prisma);
      }),
  });
  const bans = startRecorder({
    ...common,
    stream: bucketStream(BANS_BUCKET),
    decode: ({ data, subject, seq, headers }) =>
      // A mark that an entry was purged: its last state has been recorded before.
      headers?.get("KV-Operation") ? undefined : { ban: decodeBan(data, subject), revision: seq },
    record: (changes) => database.ask((prisma) => insertBanChanges(prisma, changes)),
    onRolledBack,
  });
  const allowed = startRecorder({
    ...common,
    stream: bucketStream(SETTINGS_BUCKET),
    decode: (message) => ({
      allowed: isOfAllowlist(message) ? decodeAllowedChange(message) : undefined,
      operatorSetting: decodeOperatorSetting(message),
      audited: decodeAudited(message),
    }),
    record: (changes) =>
      database.ask(async (prisma) => {
        await applyAllowed(
          prisma,
          changes.flatMap(({ allowed }) => allowed ?? []),
        );
        await applyOperatorSettings(
          prisma,
          changes.flatMap(({ operatorSetting }) => operatorSetting ?? []),
        );
        await insertAudited(
          prisma,
          changes.flatMap(({ audited }) => audited ?? []),
        );
      }),
    onRolledBack,
  });
  const hosts = createHostRecord(database);
  const isDue = () => isLeader() && database.everReached();
  const upkeep = startRecordUpkeep({ databaseUrl, retention, isDue, log });

  return {
    reachable: () => database.reachable(),
    everReached: () => database.everReached(),
    stalled: () =>
      database.reachable()
        ? (failures.stalled() ?? bans.stalled() ?? allowed.stalled())
        : undefined,
    async lag() {
      // NATS may be away: then nothing is known of what waits there.
      const all = await Promise.all([failures, bans].map((each) => each.progress())).catch(
        () => undefined,
      );
      return all?.reduce((sum, { waiting }) => sum + waiting, 0);
    },
    recordedRevision: async () => (await bans.progress()).sequence,
    bansToRestore: (now, keptSeconds) =>
      database.ask((prisma) => findBansToRestore(prisma, now, keptSeconds)),
    bansOf: (addresses, now, keptSeconds) =>
      database.ask((prisma) => findBansOf(prisma, { addresses, now, keptSeconds })),
    allowlist: () => database.ask(findAllowed),
    operatorSettings: () => database.ask(findOperatorSettings),
    bans: (query) => database.ask((prisma) => findBans(prisma, query)),
    changes: (query) => database.ask((prisma) => findChanges(prisma, query)),
    audit: (query) => database.ask((prisma) => findAudit(prisma, query)),
    failures: (query) => database.ask((prisma) => findFailures(prisma, query)),
    topFailures: (query) => database.ask((prisma) => findTop(prisma, query)),
    series: (query) => database.ask((prisma) => findSeries(prisma, query)),
    account: (query) => database.ask((prisma) => findAccount(prisma, query)),
    systemNames: (numbers) =>
      database.ask(async (prisma) => {
        const where = { asn: { in: numbers.map(BigInt) } };
        const rows = await prisma.autonomousSystem.findMany({ where });
        return new Map(rows.map(({ asn, name }) => [Number(asn), name]));
      }),
    replay: (query) => replayFailures(database, query),
    erasable: (whose) => database.ask((prisma) => findErasable(prisma, whose)),
    erase: (whose, order, isTimeOver) =>
      database.ask((prisma) => eraseFailures(prisma, whose, order, isTimeOver)),
    hosts: () =>
      database.ask(async (prisma) => {
        const rows = await prisma.host.findMany();
        return rows.map(({ host, lastSeenAt }) => ({ host, lastSeenAt: lastSeenAt.getTime() }));
      }),
    takeRolledBack() {
      const taken = isRolledBack;
      isRolledBack = false;
      return taken;
    },
    forgetHost: hosts.forget,
    hostSeen: hosts.seen,
    async close() {
      const recorders = [failures, bans, allowed, upkeep].map((each) => each.stop());
      await Promise.all([...recorders, hosts.close()]);
      await database.close();
    },
  };
}
