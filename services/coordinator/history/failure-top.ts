/** `failure top`: which addresses, users and so on have failed most in a period. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import type { TopKind } from "../../wire/api.ts";
import { divide, failuresOf, findCounted, isOfCells, type Divided } from "./counted-days.ts";
import { KINDS } from "./failure-counts.ts";
import { spellDay } from "./partitions.ts";
import { thresholdOf } from "./top-bound.ts";
import { askWithinTime, type Transaction } from "./within-time.ts";

export interface TopQuery {
  by: TopKind;
  since: number;
  until: number;
  limit: number;
}

export interface NamedAttempts {
  name: string;
  attempts: number;
}

export interface Top {
  /** Most attempts first; of the same attempts, in the order of the names' bytes. */
  rows: NamedAttempts[];
  /** Of all failures of the period. */
  attempts: number;
}

/** More than PostgreSQL's default, so that half a million names fit. */
const MEMORY = Prisma.raw("SET LOCAL work_mem = '128MB'");
/** A plan over a hundred partitions takes longer to be compiled than to be executed. */
const NO_JIT = Prisma.raw("SET LOCAL jit = off");
/** As many cells are looked at first. */
const PROBED_CELLS = 8;
/** The most frequent names of the rests that are told; the others are asked for by name. */
const MOST_OF_RESTS = 2_000;
/** Where more names may be among the first, all names are added up. */
const MOST_CANDIDATES = 2_000;
/** One look-up in an index takes as long as reading this many names in a row. */
const LOOKUP_COST = 4;

export function findTop(prisma: PrismaClient, query: TopQuery): Promise<Top> {
  return askWithinTime(prisma, async (transaction) => {
    await transaction.$executeRaw(Prisma.sql`${MEMORY}`);
    await transaction.$executeRaw(Prisma.sql`${NO_JIT}`);
    const divided = divide(query, await findCounted(transaction, query));
    const search = new TopSearch(transaction, query, divided);
    return search.find();
  });
}

/** What the rests have, by name. */
interface Rests {
  /** The most frequent names. */
  first: ReadonlyMap<string, number>;
  /** Every name that is not among the first has at most as many attempts; 0: there is none. */
  others: number;
  /** Of all failures of the rests, also of those without a name. */
  attempts: number;
}

class TopSearch {
  readonly #transaction: Transaction;
  readonly #query: TopQuery;
  readonly #divided: Divided;

  constructor(transaction: Transaction, query: TopQuery, divided: Divided) {
    this.#transaction = transaction;
    this.#query = query;
    this.#divided = divided;
  }

  async find(): Promise<Top> {
    const { cells } = this.#divided;
    const { limit } = this.#query;
    const rests = await this.#sumRests(cells.length === 0 ? limit : MOST_OF_RESTS + limit);
    const counted = cells.reduce((sum, cell) => sum + cell.attempts, 0);
    const attempts = rests.attempts + counted;
    if (cells.length === 0) return { rows: firstOf(rests.first, limit), attempts };
    const candidates = await this.#findCandidates(rests);
    if (!candidates) return { rows: await this.#sumAll(), attempts };
    const sums = await this.#sumCounted(candidates);
    const ofRests = rests.others === 0 ? rests.first : await this.#sumRestsOf(candidates);
    for (const name of candidates) {
      const sum = (sums.get(name) ?? 0) + (ofRests.get(name) ?? 0);
      if (sum > 0) sums.set(name, sum);
    }
    return { rows: firstOf(sums, limit), attempts };
  }

  /** Every name that may be among the first; undefined: there are too many. */
  async #findCandidates(rests: Rests): Promise<string[] | undefined> {
    const { cells } = this.#divided;
    const { limit } = this.#query;
    const probes = await this.#findProbes();
    for (const { name } of firstOf(rests.first, limit)) probes.add(name);
    const sums = await this.#sumCounted([...probes]);
    // Of a name whose attempts in the rests are not known these are fewer than there are.
    for (const name of probes) sums.set(name, (sums.get(name) ?? 0) + (rests.first.get(name) ?? 0));
    const least = firstOf(sums, limit)[limit - 1]?.attempts;
    if (least === undefined) return undefined;
    const threshold = thresholdOf(least, [...cells.map((cell) => cell.attempts), rests.attempts]);
    if (threshold <= Math.max(1, rests.others)) return undefined;
    const frequent = await this.#transaction.$queryRaw<{ name: string }[]>(Prisma.sql`
      SELECT name FROM failure_count
      WHERE ${this.#isCounted()} AND attempts >= ${threshold} LIMIT ${MOST_CANDIDATES * 10 + 1}`);
    if (frequent.length > MOST_CANDIDATES * 10) return undefined;
    const candidates = new Set(frequent.map(({ name }) => name));
    for (const [name, attempts] of rests.first) if (attempts >= threshold) candidates.add(name);
    const most = Math.min(MOST_CANDIDATES, (await this.#countNames()) / LOOKUP_COST);
    return candidates.size > most ? undefined : [...candidates];
  }

  /** How many names the largest cell has. */
  async #countNames(): Promise<number> {
    const { recordedOn, day } = this.#divided.cells.reduce((a, b) =>
      b.attempts > a.attempts ? b : a,
    );
    const [found] = await this.#transaction.$queryRaw<{ names: bigint }[]>`
      SELECT count(*) AS names FROM failure_count
      WHERE recorded_on = ${spell(recordedOn)}::date AND kind = ${this.#query.by}
        AND day = ${spell(day)}::date`;
    return Number(found?.names ?? 0);
  }

  /** Names that are frequent in the largest cells. */
  async #findProbes(): Promise<Set<string>> {
    const { by, limit } = this.#query;
    const largest = this.#divided.cells.toSorted((a, b) => b.attempts - a.attempts);
    const parts = largest.slice(0, PROBED_CELLS).map(
      ({ recordedOn, day }) => Prisma.sql`
        (SELECT name FROM failure_count
         WHERE recorded_on = ${spell(recordedOn)}::date AND kind = ${by} AND day = ${spell(day)}::date
         ORDER BY attempts DESC LIMIT ${2 * limit})`,
    );
    const rows = await this.#transaction.$queryRaw<{ name: string }[]>(
      Prisma.join(parts, " UNION ALL "),
    );
    return new Set(rows.map(({ name }) => name));
  }

  /** Of these names, as far as the numbers have them. */
  async #sumCounted(names: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#transaction.$queryRaw<Row[]>(Prisma.sql`
      SELECT name, sum(attempts)::bigint AS attempts FROM failure_count
      WHERE ${this.#isCounted()} AND name = ANY(${[...names]}::text[])
      GROUP BY name`);
    return mapOf(rows);
  }

  async #sumRests(count: number): Promise<Rests> {
    const rows = await this.#transaction.$queryRaw<RestRow[]>(Prisma.sql`
      SELECT name, attempts, sum(attempts) OVER ()::bigint AS all FROM (${this.#restsByName()}) AS rest
      ORDER BY name IS NULL DESC, attempts DESC, name COLLATE "C" LIMIT ${count + 2}`);
    const [unnamed] = rows;
    const named = rows.flatMap(({ name, attempts }) => (name === null ? [] : [{ name, attempts }]));
    const beyond = named.length > count ? named.pop() : undefined;
    return {
      first: mapOf(named),
      others: Number(beyond?.attempts ?? 0),
      attempts: Number(unnamed?.all ?? 0),
    };
  }

  async #sumRestsOf(names: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.#transaction.$queryRaw<Row[]>(Prisma.sql`
      SELECT name, attempts FROM (${this.#restsByName()}) AS rest
      WHERE name = ANY(${[...names]}::text[])`);
    return mapOf(rows);
  }

  /** Adds up all names. */
  async #sumAll(): Promise<NamedAttempts[]> {
    const rows = await this.#transaction.$queryRaw<Row[]>(Prisma.sql`
      SELECT name, sum(attempts)::bigint AS attempts FROM (
        SELECT name, attempts FROM failure_count WHERE ${this.#isCounted()}
        UNION ALL ${this.#restsByName()}
      ) AS one
      WHERE name IS NOT NULL
      GROUP BY name ORDER BY attempts DESC, name COLLATE "C" LIMIT ${this.#query.limit}`);
    return firstOf(mapOf(rows), this.#query.limit);
  }

  /** SQL: name (NULL: none) and attempts of the rests. */
  #restsByName(): Prisma.Sql {
    const { value, name } = KINDS[this.#query.by];
    return Prisma.sql`
      SELECT ${name} AS name, attempts FROM (
        SELECT ${value} AS value, sum(attempts)::bigint AS attempts
        FROM (${failuresOf(this.#divided.rests)}) AS failure GROUP BY value
      ) AS grouped`;
  }

  #isCounted(): Prisma.Sql {
    return Prisma.sql`kind = ${this.#query.by} AND ${isOfCells(this.#divided)}`;
  }
}

interface Row {
  name: string;
  attempts: bigint;
}

const spell = (day: number) => spellDay(new Date(day));

interface RestRow {
  /** null: of failures without a name. */
  name: string | null;
  attempts: bigint;
  /** Of all rows. */
  all: bigint | null;
}

const mapOf = (rows: readonly Row[]) =>
  new Map(rows.map(({ name, attempts }) => [name, Number(attempts)]));

/** The most frequent names. */
function firstOf(sums: ReadonlyMap<string, number>, limit: number): NamedAttempts[] {
  return [...sums]
    .map(([name, attempts]) => ({ name, attempts }))
    .sort(
      (a, b) => b.attempts - a.attempts || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
    )
    .slice(0, limit);
}
