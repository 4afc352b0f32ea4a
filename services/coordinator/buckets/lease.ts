/**
 * Which of several coordinators decides: the one whose name stands in the lease.
 *
 *   waiting --key missing, or unchanged for 4 s by our own clock--> holding
 *   holding --renewed every second--> holding
 *   holding --somebody else's, or no renewal for 3 s--> waiting
 *   waiting --still ours, because nobody took it meanwhile--> holding
 *
 * Every step is a compare-and-set, so two cannot take it at once; and the holder gives up
 * a second before anybody may take over. No host's clock is compared with another's.
 *
 * A write may be stored although nobody said so, when the server that leads the bucket dies. So
 * what stands there tells whose it is, not what we remember to have written.
 */
import { TimeoutError, type NatsConnection } from "@nats-io/nats-core";
import * as z from "zod";
import type { Log } from "../../process/log.ts";
import { decode, encode, instant, WireError } from "../../wire/codec.ts";
import { LEASE_BUCKET, LEASE_KEY } from "../../wire/subjects.ts";
import { createBucketWriter, isConflict } from "../../nats/compare-and-set.ts";
import { readLatest } from "../../nats/read-latest.ts";

const RENEW_EVERY_MS = 1_000;
const STALE_AFTER_MS = 4_000;
const GIVE_UP_AFTER_MS = 3_000;
const WRITE_WITHIN_MS = 2_000;
/** An ordinary shutdown does not wait for a NATS that has ended, too. */
const RELEASE_WITHIN_MS = 1_000;

const lease = z.object({ v: z.literal(1), id: z.string().max(128), since: instant });

export interface Lease {
  /** Does this coordinator decide, at this moment? */
  isLeader(): boolean;
  /** Who holds it, as far as is known; null: nobody. */
  holder(): string | null;
  /** Why NATS does not store it, where that keeps everybody from deciding: its store is full, perhaps. */
  trouble(): string | undefined;
  /** Gives it back, for another to take at once. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  connection: NatsConnection;
  id: string;
  log: Log;
  onTaken: () => void;
}

export function openLease({ connection, id, log, onTaken }: LeaseOptions): Lease {
  const writer = createBucketWriter(connection, LEASE_BUCKET);
  let since = 0;
  /** Our own revision while we hold it. */
  let held: number | undefined;
  let renewedAt = 0;
  let seen = { revision: 0, at: performance.now(), holder: null as string | null };
  let stopped = false;
  let trouble: string | undefined;
  let said: string | undefined;
  let working: Promise<void> = Promise.resolve();

  const isFresh = () => performance.now() - renewedAt < GIVE_UP_AFTER_MS;

  /** Puts our name where `expected` is the last revision (0: none). */
  function write(expected: number): Promise<number> {
    const value = encode(lease, { v: 1, id, since });
    return writer.put(LEASE_KEY, value, expected, WRITE_WITHIN_MS);
  }

  async function look(): Promise<{ revision: number; holder: string | null; isOurs: boolean }> {
    const { revision, value } = await readLatest(connection, LEASE_BUCKET, LEASE_KEY);
    if (!value) return { revision, holder: null, isOurs: false };
    try {
      const entry = decode(lease, value, LEASE_KEY);
      return { revision, holder: entry.id, isOurs: entry.id === id && entry.since === since };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      // No coordinator wrote that.
      log.error({ reason: error.message }, "unreadable lease, treating it as free");
      return { revision, holder: null, isOurs: false };
    }
  }

  async function renew(revision: number): Promise<void> {
    const began = performance.now();
    held = await write(revision);
    renewedAt = began;
  }

  async function tryToTake(): Promise<void> {
    const now = await look();
    if (now.revision !== seen.revision || now.revision === 0) {
      seen = { ...now, at: performance.now() };
    }
    const isStale = performance.now() - seen.at >= STALE_AFTER_MS;
    if (seen.holder !== null && !isStale && !now.isOurs) return;
    if (!now.isOurs) since = Date.now();
    await renew(seen.revision);
    seen = { ...seen, holder: id };
    log.info({ id }, "lease taken: this coordinator decides");
    onTaken();
  }

  function note(reason: string | undefined): void {
    trouble = reason;
    if (held !== undefined) said = undefined;
    if (held !== undefined || reason === said) return;
    said = reason;
    if (reason !== undefined)
      log.error({ id, reason }, "NATS does not store the lease, keeps trying");
  }

  async function step(): Promise<void> {
    try {
      if (held === undefined) await tryToTake();
      else await renew(held);
      note(undefined);
    } catch (error) {
      // Somebody was quicker, or NATS is away: either way there is another second.
      note(isConflict(error) ? undefined : explain(error));
      if (held === undefined) return;
      const now = await look().catch(() => undefined);
      if (now?.isOurs) held = now.revision;
      if ((now && !now.isOurs) || !isFresh()) {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ id, reason }, "lease lost: this coordinator no longer decides");
        held = undefined;
        seen = { revision: 0, at: performance.now(), holder: null };
      }
    }
  }

  const timer = setInterval(() => {
    working = working.then(() => (stopped ? undefined : step()));
  }, RENEW_EVERY_MS);
  working = step();

  return {
    isLeader: () => held !== undefined && isFresh(),
    holder: () => (held === undefined ? seen.holder : id),
    trouble: () => (held === undefined ? trouble : undefined),
    async release() {
      stopped = true;
      clearInterval(timer);
      await working;
      if (held === undefined || connection.isClosed()) return;
      try {
        await writer.erase(LEASE_KEY, "DEL", held, RELEASE_WITHIN_MS);
      } catch (error) {
        // NATS is away, or somebody has the lease already. It runs out by itself.
        log.info({ id, reason: explain(error) }, "lease is not given back, it runs out in 4 s");
      }
    },
  };
}

function explain(error: unknown): string {
  if (error instanceof TimeoutError) return "it does not answer in time";
  return error instanceof Error ? error.message : String(error);
}
