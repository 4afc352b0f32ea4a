/**
 * Sessions and login links as NATS keeps them, so that all coordinators know them: the bucket
 * `fleetban_web`.
 *
 * Invariants:
 * - The bucket holds no secret. An entry stands under the SHA-256 of the secret in the cookie or in
 *   the link, so whoever reads the bucket cannot log in.
 * - A session has ended if its entry is gone, if its time is over, or if the credentials that it was
 *   opened with are revoked (see revocations.ts).
 * - A link is used up by deleting its entry at the revision that was read, so it works once, whichever
 *   coordinators are asked.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import type { MirrorEvent } from "../../nats/bucket-mirror.ts";
import { createBucketWriter, isConflict, type BucketWriter } from "../../nats/compare-and-set.ts";
import { readLatest } from "../../nats/read-latest.ts";
import type { Log } from "../../process/log.ts";
import { createRevocations, type Revocations } from "./revocations.ts";
import { WebBucket } from "./web-bucket.ts";
import { LONGEST_SESSION_SECONDS } from "./web-config.ts";
import { WEB_BUCKET, webKey } from "../../wire/subjects.ts";
import {
  decodeWebEntry,
  encodeWebEntry,
  type Grant,
  type WebEntry,
} from "../../wire/web-sessions.ts";

/** Older entries are of no use, and NATS removes them by itself. */
const LONGEST_MS = LONGEST_SESSION_SECONDS * 1000 + 3_600_000;
const WRITE_WITHIN_MS = 2_000;
const SWEEP_EVERY_MS = 60_000;
/** Strangers cause these reads: of a session that this copy does not have yet, and of a link. */
const MAX_READS_PER_SECOND = 50;

export interface SessionBucket {
  /** Why nobody can log in; undefined: people can, or it is not known yet. */
  trouble(): string | undefined;
  put(kind: "session" | "link", hash: string, grant: Grant): Promise<void>;
  /** A session that holds. Throws where that cannot be known. */
  find(hash: string): Promise<Grant | undefined>;
  /** Uses up a link; undefined: there is none, or somebody has used it. Throws as `find` does. */
  take(hash: string): Promise<Grant | undefined>;
  /** Ends a session. */
  end(hash: string): Promise<void>;
  stop(): void;
}

export interface SessionBucketOptions {
  connection: NatsConnection;
  replicas: number;
  /** A session does not hold any more, as far as this coordinator knows. */
  onEnded: (hash: string) => void;
  now: () => number;
  log: Log;
}

export function openSessionBucket(options: SessionBucketOptions): SessionBucket {
  return new StoredSessions(options);
}

class StoredSessions implements SessionBucket {
  readonly #options: SessionBucketOptions;
  readonly #bucket: WebBucket;
  readonly #writer: BucketWriter;
  readonly #revocations: Revocations;
  /** Keys of sessions that this coordinator has ended; the mirror does not show it yet. */
  readonly #ended = new Set<string>();
  /** How many entries were read in this second since 1970. */
  #reads = { second: 0, count: 0 };
  readonly #sweeping: NodeJS.Timeout;

  constructor(options: SessionBucketOptions) {
    const { connection, replicas, log } = options;
    this.#options = options;
    this.#writer = createBucketWriter(connection, WEB_BUCKET);
    this.#revocations = createRevocations({
      entries: () => this.#bucket.entries(),
      onRevoked: (key) => this.#reportEnded(key),
      write: (key, entry) => this.#write(key, entry),
    });
    this.#bucket = new WebBucket({
      ...{ connection, replicas, ttlMs: LONGEST_MS, log },
      onEvent: (event) => this.#onEvent(event),
    });
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS);
  }

  trouble(): string | undefined {
    return this.#bucket.trouble();
  }

  async put(kind: "session" | "link", hash: string, grant: Grant): Promise<void> {
    await this.#bucket.untilLive();
    const value: WebEntry = { v: 1, type: "grant", ...grant };
    const key = webKey(kind, hash);
    this.#bucket.wrote(key, value, await this.#write(key, value));
  }

  async find(hash: string): Promise<Grant | undefined> {
    await this.#bucket.untilLive();
    const key = webKey("session", hash);
    if (this.#ended.has(key)) return undefined;
    const known = this.#bucket.entries().get(key)?.value;
    // The copy may not have the session yet that another coordinator has just opened.
    const grant = known?.type === "grant" ? known : (await this.#read(key))?.grant;
    return grant && this.#holds(grant) ? grant : undefined;
  }

  async take(hash: string): Promise<Grant | undefined> {
    await this.#bucket.untilLive();
    const key = webKey("link", hash);
    const stored = await this.#read(key);
    if (!stored || !this.#holds(stored.grant)) return undefined;
    const isTaken = await this.#erase(key, stored.revision);
    return isTaken ? stored.grant : undefined;
  }

  async end(hash: string): Promise<void> {
    const key = webKey("session", hash);
    this.#ended.add(key);
    this.#options.onEnded(hash);
    const stored = await this.#read(key);
    if (stored) await this.#erase(key, stored.revision);
  }

  stop(): void {
    clearInterval(this.#sweeping);
    this.#bucket.stop();
  }

  #onEvent(event: MirrorEvent<WebEntry>): void {
    this.#revocations.note(event);
    switch (event.type) {
      case "loading":
      case "live":
      case "put":
        return;
      case "rolled-back":
      case "deleted":
      case "unreadable":
        this.#noteGone(event.key);
        return;
    }
  }

  #noteGone(key: string): void {
    this.#ended.delete(key);
    this.#reportEnded(key);
  }

  #reportEnded(key: string): void {
    const hash = sessionHashOf(key);
    if (hash !== undefined) this.#options.onEnded(hash);
  }

  #holds({ expiresAt, key }: Grant): boolean {
    return expiresAt > this.#options.now() && !this.#revocations.isRevoked(key);
  }

  /** Removes what is over, so that no copy of the bucket grows. */
  async #sweep(): Promise<void> {
    const { now } = this.#options;
    for (const [key, { value, revision }] of this.#bucket.entries()) {
      const isOver = value.type === "grant" ? !this.#holds(value) : value.at + LONGEST_MS < now();
      if (!isOver) continue;
      this.#noteGone(key);
      await this.#erase(key, revision).catch(() => {}); // The next sweep tries it again.
    }
  }

  /** Reads the entry itself, not the copy. */
  async #read(key: string): Promise<{ grant: Grant; revision: number } | undefined> {
    const second = Math.floor(this.#options.now() / 1000);
    const isSameSecond = this.#reads.second === second;
    this.#reads = { second, count: isSameSecond ? this.#reads.count + 1 : 1 };
    if (this.#reads.count > MAX_READS_PER_SECOND) {
      throw new Error("too many logins at once, try again");
    }
    const { value, revision } = await readLatest(this.#options.connection, WEB_BUCKET, key);
    const entry = value && decodeWebEntry(value, key);
    return entry?.type === "grant" ? { grant: entry, revision } : undefined;
  }

  /** Writes an entry where there is none; returns its revision. */
  #write(key: string, entry: WebEntry): Promise<number> {
    return this.#writer.put(key, encodeWebEntry(entry), 0, WRITE_WITHIN_MS);
  }

  /** Returns whether it was we who have erased this state of the entry. */
  async #erase(key: string, revision: number): Promise<boolean> {
    try {
      await this.#writer.erase(key, "PURGE", revision, WRITE_WITHIN_MS);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}

/** undefined: it is the key of something else. */
function sessionHashOf(key: string): string | undefined {
  const prefix = webKey("session", "");
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}
