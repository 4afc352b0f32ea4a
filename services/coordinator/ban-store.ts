/**
 * The bans bucket, as this coordinator sees it: a mirror of all its entries and
 * the one way to change them.
 *
 * A change is a compare-and-set on one key: made from the mirror's entry, and when
 * somebody else was quicker, made anew from what is there then. A write that nobody has
 * acknowledged may be there or not: what is there then tells that, too.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import { headers, RequestError, TimeoutError, type NatsConnection } from "@nats-io/nats-core";
import { followBucket } from "../nats/follow-bucket.ts";
import type { Log } from "../daemon/log.ts";
import type { Address } from "../wire/address.ts";
import { decodeBan, encodeBan, isInForce, type Ban } from "../wire/ban.ts";
import { WireError } from "../wire/codec.ts";
import { BANS_BUCKET, banKey } from "../wire/subjects.ts";
import { isConflict, readLatest } from "./latest.ts";

/** Makes the next state of an entry from its present one; undefined: leave it. */
export type Step = (present: Ban | undefined) => Ban | undefined;

export interface Written {
  ban: Ban;
  revision: number;
}

export interface BanStore {
  get(jail: string, address: Address): Ban | undefined;
  /** All entries, in the order of their keys' first appearance. */
  entries(): IterableIterator<{ key: string; ban: Ban; revision: number }>;
  /** Applies `step` to the entry; returns what was written, undefined when nothing was. */
  change(jail: string, address: Address, step: Step): Promise<Written | undefined>;
  /** Deletes an entry with its history, if its revision is still this one. */
  purge(key: string, revision: number): Promise<void>;
  /**
   * What is to be there again: bans in force that somebody who is no coordinator has deleted or written
   * over since the last call, for coordinators delete only what is over; and what NATS has lost.
   */
  takeSpoiled(): Ban[];
  /** Bans in force at `now`. */
  countInForce(now: number): number;
  /** Resolves when every entry has been read once. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  /** The highest revision seen. */
  revision(): number;
  /** The bucket that revisions count in. */
  created(): string | null;
  stop(): void;
}

export interface BanStoreOptions {
  connection: NatsConnection;
  log: Log;
  /** Called for every entry that is read or changes. */
  onBan: (ban: Ban) => void;
}

const ATTEMPTS = 8;
/** A cluster of NATS servers finds a new leader for the bucket in some 4 s. */
const PATIENCE_MS = 8_000;
const RETRY_MS = 200;

export function openBanStore({ connection, log, onBan }: BanStoreOptions): BanStore {
  const bans = new Map<string, { ban: Ban; revision: number }>();
  let created: string | null = null;
  let revision = 0;
  let isReady = false;
  let settle: () => void = () => {};
  const ready = new Promise<void>((resolve) => (settle = resolve));
  const spoiled = new Map<string, Ban>();
  const spoil = (key: string, reason: string): void => {
    const known = bans.get(key)?.ban;
    log.error({ key, reason }, "ban was spoiled by somebody who is no coordinator");
    if (known) spoiled.set(key, known);
    bans.delete(key);
  };
  /** Keys that this run has not shown: what is left at its end is gone from the bucket. */
  let unseen = new Set<string>();
  /** NATS loses what it has just stored when its machine loses power; nobody else takes it away so. */
  const lose = (key: string): void => {
    const known = bans.get(key)?.ban;
    if (known) spoiled.set(key, known);
    bans.delete(key);
  };

  const following = followBucket(
    { connection, bucket: BANS_BUCKET, log },
    {
      begin(stream) {
        if (created !== null && created !== stream) bans.clear();
        created = stream;
        revision = 0;
        unseen = new Set(bans.keys());
      },
      entry(entry) {
        revision = Math.max(revision, entry.revision);
        const known = bans.get(entry.key);
        const isOlder = known !== undefined && known.revision > entry.revision;
        if (unseen.delete(entry.key) && isOlder) lose(entry.key);
        if (entry.value === undefined) {
          const present = bans.get(entry.key)?.ban;
          if (present && isInForce(present, Date.now())) spoil(entry.key, "deleted");
          bans.delete(entry.key);
          return;
        }
        try {
          remember(entry.key, decodeBan(entry.value, entry.key), entry.revision);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          spoil(entry.key, error.message);
        }
      },
      caughtUp(missing) {
        if (missing === 0) for (const key of unseen) lose(key);
        unseen.clear();
        isReady = true;
        settle();
      },
    },
  );

  /** The mirror may learn of our own write twice, and must not go back to an older one. */
  function remember(key: string, ban: Ban, at: number): void {
    const known = bans.get(key);
    if (known && known.revision >= at) return;
    unseen.delete(key);
    const missing = spoiled.get(key);
    if (missing && missing.changedAt <= ban.changedAt) spoiled.delete(key);
    bans.set(key, { ban, revision: at });
    onBan(ban);
  }

  const js = jetstream(connection);
  async function put(key: string, ban: Ban, expected: number): Promise<number> {
    const ack = await js.publish(`$KV.${BANS_BUCKET}.${key}`, encodeBan(ban), {
      expect: { lastSubjectSequence: expected },
      timeout: 5_000,
    });
    return ack.seq;
  }

  async function read(key: string): Promise<{ ban: Ban | undefined; revision: number }> {
    const { value, revision } = await readLatest(connection, BANS_BUCKET, key);
    try {
      return { ban: value && decodeBan(value, key), revision };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { ban: undefined, revision }; // spoiled: written over
    }
  }

  return {
    ready,
    isReady: () => isReady,
    revision: () => revision,
    created: () => created,
    get: (jail, address) => bans.get(banKey(jail, address))?.ban,

    *entries() {
      for (const [key, entry] of bans) yield { key, ...entry };
    },

    async change(jail, address, step) {
      const key = banKey(jail, address);
      let present: { ban: Ban | undefined; revision: number } = bans.get(key) ?? {
        ban: undefined,
        revision: 0,
      };
      const written = (ban: Ban, at: number): Written => {
        remember(key, ban, at);
        revision = Math.max(revision, at);
        return { ban, revision: at };
      };
      const deadline = performance.now() + PATIENCE_MS;
      /** What was sent and not acknowledged: it may be there. */
      const inDoubt = new Map<string, Ban>();
      for (let conflicts = 0; ;) {
        const next = step(present.ban);
        if (!next) return undefined;
        try {
          return written(next, await put(key, next, present.revision));
        } catch (error) {
          if (isConflict(error)) conflicts += 1;
          else if (!isWithoutLeader(error) || performance.now() > deadline) throw explain(error);
          if (conflicts === ATTEMPTS) throw error;
          if (!isConflict(error)) {
            inDoubt.set(next.change, next);
            await sleep(RETRY_MS);
          }
          const latest = await read(key).catch(() => undefined);
          if (!latest) continue;
          present = latest;
          const own = inDoubt.get(latest.ban?.change ?? "");
          if (own) return written(own, latest.revision);
        }
      }
    },

    async purge(key, expected) {
      const mark = headers();
      mark.set("KV-Operation", "PURGE");
      mark.set("Nats-Rollup", "sub");
      try {
        await js.publish(`$KV.${BANS_BUCKET}.${key}`, undefined, {
          headers: mark,
          expect: { lastSubjectSequence: expected },
        });
      } catch (error) {
        if (!isConflict(error)) throw error; // somebody has changed it: it stays
      }
    },

    takeSpoiled() {
      const taken = [...spoiled.values()];
      spoiled.clear();
      return taken;
    },

    countInForce(now) {
      let count = 0;
      for (const { ban } of bans.values()) if (isInForce(ban, now)) count += 1;
      return count;
    },

    stop: () => following.stop(),
  };
}

/** In a cluster: the server that led the bucket has died, and no other does yet. */
function isWithoutLeader(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return error instanceof TimeoutError || (cause instanceof RequestError && cause.isNoResponders());
}

/** NATS's own words for it, "jetstream is not enabled", mislead. */
function explain(error: unknown): unknown {
  if (!isWithoutLeader(error)) return error;
  return new Error("NATS cannot store it now: no server leads the bans", { cause: error });
}
