/** Up to which message each stream is recorded. PostgreSQL keeps that place beside the rows. */
import { HistoryUnavailable, type Database } from "./database.ts";

export interface Place {
  /** Names the stream, which begins to count anew when NATS loses its storage. */
  created: string;
  /** Of the last message that is recorded. */
  sequence: number;
  /** When NATS stored that message, epoch milliseconds; null: not known. */
  storedAt: number | null;
}

/** Everything but `lastKnown` throws HistoryUnavailable while PostgreSQL is away. */
export interface Places {
  /** undefined: nothing of the stream is recorded. */
  read(stream: string): Promise<Place | undefined>;
  /** Never goes back within one stream, whoever else writes at the same time. */
  write(stream: string, place: Place): Promise<void>;
  /** Nothing of the stream is recorded for certain, for NATS has lost its end. */
  rewind(stream: string): Promise<void>;
  /** As PostgreSQL has it, or had it when it was there. */
  lastKnown(stream: string): Promise<Place | undefined>;
}

export function createPlaces(database: Pick<Database, "ask" | "reachable">): Places {
  const known = new Map<string, Place>();

  async function read(stream: string): Promise<Place | undefined> {
    const row = await database.ask((prisma) => prisma.recorded.findUnique({ where: { stream } }));
    if (!row) return undefined;
    const { created, sequence, storedAt } = row;
    const place = { created, sequence: Number(sequence), storedAt: storedAt?.getTime() ?? null };
    known.set(stream, place);
    return place;
  }

  return {
    read,
    async write(stream, { created, sequence, storedAt }) {
      const at = storedAt === null ? null : new Date(storedAt);
      await database.ask(
        (prisma) => prisma.$executeRaw`
          INSERT INTO recorded (stream, created, sequence, stored_at)
          VALUES (${stream}, ${created}, ${sequence}::bigint, ${at})
          ON CONFLICT (stream) DO UPDATE SET
            created = excluded.created, sequence = excluded.sequence, stored_at = excluded.stored_at
          WHERE recorded.created <> excluded.created OR recorded.sequence < excluded.sequence`,
      );
    },
    async rewind(stream) {
      const data = { sequence: 0, storedAt: null };
      await database.ask((prisma) => prisma.recorded.update({ where: { stream }, data }));
    },
    async lastKnown(stream) {
      if (!database.reachable()) return known.get(stream);
      try {
        return await read(stream);
      } catch (error) {
        if (error instanceof HistoryUnavailable) return known.get(stream);
        throw error;
      }
    },
  };
}
