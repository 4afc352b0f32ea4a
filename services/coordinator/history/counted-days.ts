/**
 * Which part of a period is in the numbers of failure_count, and which part has to be added up from
 * the failures themselves: days that are not counted yet, and parts of days at both ends.
 *
 * A cell is what a partition of failures has of one day of attempts. Most failures are recorded on
 * the day on which they happen; a host that was cut off reports some on a later day.
 */
import { Prisma } from "../../../prisma/client/client.ts";
import { dayBefore } from "./failure-queries.ts";
import { FIRST_MS, LAST_MS } from "./marks.ts";
import { DAY_MS, FAILURES, partitionsOf, spellDay, type Partition } from "./partitions.ts";
import type { Transaction } from "./within-time.ts";

export interface Period {
  since: number;
  until: number;
}

export interface Cell {
  /** Begin of the day that names the numbers. */
  recordedOn: number;
  /** Begin of the day of the attempts. */
  day: number;
  /** Of all names together. */
  attempts: number;
}

/** Failures that were recorded between `from` and `to`; null: without a bound. */
export interface Recorded {
  from: number | null;
  to: number | null;
}

/** Failures that have to be added up: recorded within one of `recorded`, made from `since` to `until`. */
export interface Rest extends Period {
  recorded: readonly Recorded[];
}

export interface Divided {
  /** Whole days, in the numbers. */
  cells: readonly Cell[];
  /** Days of recording that still have numbers although their failures are dropped. */
  dropped: readonly number[];
  rests: readonly Rest[];
}

export interface Counted {
  partitions: readonly Pick<Partition, "from" | "until">[];
  /** Of every counted partition there is one at least. */
  cells: readonly Cell[];
}

export const NOTHING_COUNTED: Counted = { partitions: [], cells: [] };

/** What of the failures of the period is counted, in the state of the record that the transaction sees. */
export async function findCounted(transaction: Transaction, period: Period): Promise<Counted> {
  const [first, last] = [period.since, period.until].map((at) => spellDay(instantOf(at)));
  const partitions = await transaction.$queryRaw<Partition[]>(partitionsOf(FAILURES.table));
  const rows = await transaction.$queryRaw<{ recorded_on: Date; day: Date; attempts: bigint }[]>`
    SELECT recorded_on, day, attempts FROM failure_count
    WHERE kind = 'all' AND name = '' AND recorded_on >= ${spellDay(dayBefore(period.since))}::date
      AND (day BETWEEN ${first}::date AND ${last}::date OR day = recorded_on)`;
  const cells = rows.map(({ recorded_on: recordedOn, day, attempts }) => {
    return { recordedOn: recordedOn.getTime(), day: day.getTime(), attempts: Number(attempts) };
  });
  return { partitions, cells };
}

/** Divides a period, to a millisecond, into cells and rests that do not overlap. */
export function divide(period: Period, { partitions, cells }: Counted): Divided {
  const countedOn = new Set(cells.map(({ recordedOn }) => recordedOn));
  const nameOf = ({ until }: Pick<Partition, "until">) => until.getTime() - DAY_MS;
  const counted = partitions.filter((partition) => countedOn.has(nameOf(partition)));
  const ofPartitions = cells.filter(({ recordedOn }) =>
    counted.some((partition) => nameOf(partition) === recordedOn),
  );
  const [begin, end] = wholeDays(period);
  const isWhole = ({ day }: Cell) => day >= begin && day < end;
  const recordedOf = ({ recordedOn }: Cell): Recorded[] =>
    counted
      .filter((partition) => nameOf(partition) === recordedOn)
      .map(({ from, until }) => ({ from: from?.getTime() ?? null, to: until.getTime() }));
  const rests = [
    { ...period, recorded: complementOf(counted) },
    ...partsOfDays(period, [begin, end]).map((part) => {
      const day = Math.floor(part.since / DAY_MS) * DAY_MS;
      const concerned = ofPartitions.filter((cell) => cell.day === day);
      return { ...part, recorded: concerned.flatMap(recordedOf) };
    }),
  ];
  const isDropped = (cell: Cell) => !ofPartitions.includes(cell);
  return {
    cells: ofPartitions.filter((cell) => isWhole(cell) && cell.attempts > 0),
    dropped: cells.filter(isDropped).map(({ recordedOn }) => recordedOn),
    rests: rests.filter(({ recorded }) => recorded.length > 0),
  };
}

/** The first instants of the first whole day by UTC within the period, and of the day behind the last one. */
function wholeDays({ since, until }: Period): [number, number] {
  const begin = Math.ceil(since / DAY_MS) * DAY_MS;
  return [begin, Math.max(begin, Math.floor((until + 1) / DAY_MS) * DAY_MS)];
}

/** What of the period is no whole day: at most one part at each end, of one day each. */
function partsOfDays({ since, until }: Period, [begin, end]: [number, number]): Period[] {
  const parts = [
    { since, until: Math.min(until, begin - 1) },
    { since: Math.max(since, end), until },
  ];
  return parts.filter((part) => part.since <= part.until);
}

/** All times but those of the partitions, which are sorted. */
function complementOf(partitions: Counted["partitions"]): Recorded[] {
  const gaps: Recorded[] = [];
  let begin: number | null = null;
  for (const { from, until } of partitions) {
    if (from && from.getTime() !== begin) gaps.push({ from: begin, to: from.getTime() });
    begin = until.getTime();
  }
  return [...gaps, { from: begin, to: null }];
}

/**
 * SQL: a row of failure_count is of one of the cells, of which there is one at least. It names ranges,
 * because PostgreSQL 15 looks into an index once for every combination of listed days.
 */
export function isOfCells({ cells, dropped }: Divided): Prisma.Sql {
  const within = (days: readonly number[]) =>
    Prisma.sql`BETWEEN ${spell(Math.min(...days))}::date AND ${spell(Math.max(...days))}::date`;
  const isKept = Prisma.sql`recorded_on <> ALL(${dropped.map(spell)}::date[])`;
  return Prisma.sql`recorded_on ${within(cells.map(({ recordedOn }) => recordedOn))}
    AND day ${within(cells.map(({ day }) => day))} AND ${dropped.length > 0 ? isKept : Prisma.sql`TRUE`}`;
}

const spell = (day: number) => spellDay(new Date(day));

/** SQL: the failures of all rests. */
export function failuresOf(rests: readonly Rest[]): Prisma.Sql {
  const parts = rests.map(({ since, until, recorded }) => {
    const ranges = recorded.map(rangeOf);
    return Prisma.sql`
      SELECT * FROM failure
      WHERE at >= ${instantOf(since)} AND at <= ${instantOf(until)}
        AND recorded_at >= ${dayBefore(since)} AND (${Prisma.join(ranges, " OR ")})`;
  });
  if (parts.length === 0) return Prisma.sql`SELECT * FROM failure WHERE FALSE`;
  return Prisma.join(parts, " UNION ALL ");
}

/** An instant that PostgreSQL can store. */
const instantOf = (at: number) => new Date(Math.min(Math.max(at, FIRST_MS), LAST_MS));

function rangeOf({ from, to }: Recorded): Prisma.Sql {
  const begins = from === null ? Prisma.sql`TRUE` : Prisma.sql`recorded_at >= ${new Date(from)}`;
  const ends = to === null ? Prisma.sql`TRUE` : Prisma.sql`recorded_at < ${new Date(to)}`;
  return Prisma.sql`(${begins} AND ${ends})`;
}
