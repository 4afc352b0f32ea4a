/** Up to where each stream is recorded: PostgreSQL has that beside what it stands for. */
import { HistoryUnavailable, type Database } from "./database.ts";

export interface Place {
  /** Names the stream, which begins to count anew when NATS loses its storage. */
  created: string;
  /** Of the last message that is recorded. */
  sequence: number;
}

/** Everything but `lastKnown` throws HistoryUnavailable while PostgreSQL is away. */
export interface Places {
  /** undefined: nothing of the stream is recorded. */
  read(stream: string): Promise<Place | undefined>;
  /** Never goes back within one stream, whoever else writes at the same time. */
  write(stream: string, place: Place): Promise<void>;
  /** As PostgreSQL has it, or had it when it was there. */
  lastKnown(stream: string): Promise<Place | undefined>;
}

export function createPlaces(database: Pick<Database, "ask" | "reachable">): Places {
  const known = new Map<string, Place>();

  async function read(stream: string): Promise<Place | undefined> {
    const row = await database.ask((prisma) => prisma.recorded.findUnique({ where: { stream } }));
    if (!row) return undefined;
    const place = { created: row.created, sequence: Number(row.sequence) };
    known.set(stream, place);
    return place;
  }

  return {
    read,
    async write(stream, { created, sequence }) {
      await database.ask(
        (prisma) => prisma.$executeRaw`
          INSERT INTO recorded (stream, created, sequence) VALUES (${stream}, ${created}, ${sequence}::bigint)
          ON CONFLICT (stream) DO UPDATE SET
            created = excluded.created,
            sequence = CASE
              WHEN recorded.created = excluded.created
              THEN greatest(recorded.sequence, excluded.sequence)
              ELSE excluded.sequence
            END`,
      );
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
