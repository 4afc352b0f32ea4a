/**
 * Notes in PostgreSQL when each host was heard. One statement at a time writes all hosts that wait.
 * If many hosts report at once, they take one connection, and no other query waits long.
 */
import type { HostStatus } from "../../wire/status.ts";
import { HistoryRefused, type Database } from "./database.ts";

export interface HostRecord {
  /** Not every call writes. If PostgreSQL rejects a write, the host's next status is written instead. */
  seen(status: HostStatus, at: number): void;
  /** false: PostgreSQL knew nothing of it. */
  forget(host: string): Promise<boolean>;
  /** Resolves when no statement is under way. */
  close(): Promise<void>;
}

type Seen = Pick<HostStatus, "host" | "version" | "firewall"> & { at: number };

const EVERY_MS = 30_000;
/** Rows of one statement. */
const AT_ONCE = 500;

export function createHostRecord(database: Pick<Database, "ask" | "reachable">): HostRecord {
  const notedAt = new Map<string, number>();
  const waiting = new Map<string, Seen>();
  let writing: Promise<void> | undefined;
  let isClosed = false;

  async function write(): Promise<void> {
    while (waiting.size > 0 && !isClosed) {
      const some = [...waiting.values()].slice(0, AT_ONCE);
      for (const { host } of some) waiting.delete(host);
      await writeOrForget(some);
    }
  }

  /** A host that PostgreSQL refuses must not keep the others from being noted. */
  async function writeOrForget(hosts: readonly Seen[]): Promise<void> {
    try {
      await database.ask((prisma) => upsertHosts(prisma, hosts));
    } catch (error) {
      if (error instanceof HistoryRefused && hosts.length > 1) {
        const middle = hosts.length >> 1;
        await writeOrForget(hosts.slice(0, middle));
        await writeOrForget(hosts.slice(middle));
      } else for (const { host } of hosts) notedAt.delete(host);
    }
  }

  return {
    seen({ host, version, firewall }, at) {
      if (at - (notedAt.get(host) ?? 0) < EVERY_MS || !database.reachable()) return;
      notedAt.set(host, at);
      waiting.set(host, { host, version, firewall, at });
      writing ??= write().finally(() => (writing = undefined));
    },
    async forget(host) {
      waiting.delete(host);
      await writing;
      const deletion = { where: { host } };
      const { count } = await database.ask((prisma) => prisma.host.deleteMany(deletion));
      notedAt.delete(host);
      return count > 0;
    },
    async close() {
      isClosed = true;
      await writing;
    },
  };
}

async function upsertHosts(prisma: Prisma, hosts: readonly Seen[]): Promise<void> {
  const column = <T>(value: (host: Seen) => T) => hosts.map(value);
  await prisma.$executeRaw`
    INSERT INTO host (host, last_seen_at, version, firewall)
    SELECT * FROM unnest(
      ${column(({ host }) => host)}::text[],
      ${column(({ at }) => new Date(at).toISOString())}::timestamptz[],
      ${column(({ version }) => version)}::text[],
      ${column(({ firewall }) => firewall)}::text[]
    )
    ON CONFLICT (host) DO UPDATE SET
      last_seen_at = excluded.last_seen_at,
      version = excluded.version,
      firewall = excluded.firewall`;
}

type Prisma = Parameters<Parameters<Database["ask"]>[0]>[0];
