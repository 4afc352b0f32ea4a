/** What the rest of the coordinator asks the record, and erases from it. */
import type { Address } from "../../wire/address.ts";
import type { AuditRow, FailureRow } from "../../wire/api.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Allowed } from "../../wire/settings.ts";
import { findAccount, type AccountFailures, type AccountQuery } from "./account-queries.ts";
import { findAllowed } from "./allowed.ts";
import { findAudit, type AuditQuery } from "./audit-queries.ts";
import {
  findBans,
  findBansOf,
  findChanges,
  readBansToRestore,
  type BanQuery,
} from "./ban-queries.ts";
import type { Database } from "./database.ts";
import {
  eraseFailures,
  findErasable,
  type Erasable,
  type EraseOrder,
  type FoundFailures,
} from "./erase-failures.ts";
import { findFailures, type FailureQuery } from "./failure-queries.ts";
import { findSeries, type Series, type SeriesQuery } from "./failure-series.ts";
import { findTop, type Top, type TopQuery } from "./failure-top.ts";
import type { Marked } from "./marks.ts";
import { findOperatorSettings, type OperatorSetting } from "./operator-settings.ts";
import { replayFailures, type Replayed, type ReplayQuery } from "./replay-failures.ts";

/** All of them throw HistoryUnavailable while PostgreSQL is away. */
export interface HistoryQuestions {
  /** In parts. `keptSeconds`: bans that have ended no longer ago are restored, too. */
  bansToRestore(now: number, keptSeconds: number): AsyncIterable<readonly Ban[]>;
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
}

export function createHistoryQuestions(database: Database): HistoryQuestions {
  return {
    bansToRestore: (now, keptSeconds) => readBansToRestore(database, { now, keptSeconds }),
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
  };
}
