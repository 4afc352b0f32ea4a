/**
 * Sessions and login links as NATS keeps them, so that all coordinators know them: the bucket
 * `fleetban_web`.
 *
 * Invariants:
 * - The bucket holds no secret. An entry stands under the SHA-256 of the secret in the cookie or in
 *   the link, so whoever reads the bucket cannot log in.
 * - A session has ended if its entry is gone, if its time is over, or if the credentials that it was
 *   opened with are revoked. `fleetban key revoke` writes `revoked.KEY` into this bucket by itself:
 *   the entry waits here for a coordinator that is down.
 * - A link is used up by deleting its entry at the revision that was read, so it works once, whichever
 *   coordinators are asked.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { mirrorBucket, type BucketMirror, type MirrorEvent } from "../../nats/bucket-mirror.ts";
import { createBucketWriter, isConflict } from "../../nats/compare-and-set.ts";
import { findStream } from "../../nats/find-stream.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { readLatest } from "../../nats/read-latest.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { LONGEST_SESSION_SECONDS } from "./web-config.ts";
import { revokedKey, WEB_BUCKET, webKey } from "../../wire/subjects.ts";
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
const RETRY_MS = 10_000;
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

type State =
  | { phase: "opening" } // The bucket is made, and its entries are read.
  | { phase: "live" } // Every entry has been read; changes arrive as they are made.
  | { phase: "failed"; reason: string }; // NATS refuses the bucket; it is tried again.

export interface SessionBucketOptions {
  connection: NatsConnection;
  replicas: number;
  /** A session does not hold any more, as far as this coordinator knows. */
  onEnded: (hash: string) => void;
  now: () => number;
  log: Log;
}

export function openSessionBucket(options: SessionBucketOptions): SessionBucket {
  const { connection, replicas, onEnded, now, log } = options;
  const writer = createBucketWriter(connection, WEB_BUCKET);
  /** Sessions that this coordinator has ended; the mirror does not show it yet. */
  const ended = new Set<string>();
  let state: State = { phase: "opening" };
  let isMade = false;
  let mirror: BucketMirror<WebEntry> | undefined;
  let reads = { second: 0, count: 0 };

  const isRevoked = (key: string | null) =>
    key !== null && mirror?.entries.has(revokedKey(key)) === true;
  const holds = (grant: Grant) => grant.expiresAt > now() && !isRevoked(grant.key);

  function onEvent(event: MirrorEvent<WebEntry>): void {
    switch (event.type) {
      case "loading":
        return;
      case "live":
        state = { phase: "live" };
        return;
      case "put":
        if (event.value.type === "revoked") endSessionsOf(event.key);
        return;
      case "rolled-back":
        // A revocation holds, whatever NATS has lost.
        if (event.previous.type === "revoked") void restore(event.key, event.previous);
        noteGone(event.key);
        return;
      case "deleted":
      case "unreadable":
        noteGone(event.key);
        return;
    }
  }

  const restore = (key: string, entry: WebEntry) =>
    writer.put(key, encodeWebEntry(entry), 0, WRITE_WITHIN_MS).catch(() => {});

  function noteGone(key: string): void {
    ended.delete(key);
    const hash = hashOf(key);
    if (hash !== undefined) onEnded(hash);
  }

  function endSessionsOf(revoked: string): void {
    for (const [key, { value }] of mirror?.entries ?? []) {
      const hash = hashOf(key);
      if (hash === undefined || value.type !== "grant" || value.key === null) continue;
      if (revokedKey(value.key) === revoked) onEnded(hash);
    }
  }

  /** Makes the bucket where it is missing, and follows it. */
  async function open(): Promise<void> {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    if (!(await findStream(manager, bucketStream(WEB_BUCKET)))) {
      const ttl = LONGEST_MS;
      await new Kvm(connection).create(WEB_BUCKET, { history: 1, replicas, ttl });
    }
    mirror ??= mirrorBucket({
      ...{ connection, bucket: WEB_BUCKET, decode: decodeWebEntry, onEvent, log },
    });
    isMade = true;
  }

  let opening: Promise<void> | undefined;
  function ensure(): Promise<void> {
    isMade = false;
    opening ??= open()
      .catch(noteTrouble)
      .finally(() => (opening = undefined));
    return opening;
  }

  function noteTrouble(error: unknown): void {
    if (state.phase === "live") return;
    const reason = reasonOf(error);
    const isNew = state.phase === "opening" || state.reason !== reason;
    state = { phase: "failed", reason };
    if (isNew) log.warn({ reason }, "nobody can log in to the web page, keeps trying");
  }

  function checkLive(): void {
    if (state.phase === "live") return;
    const reason = state.phase === "failed" ? state.reason : "they are not read yet";
    throw new Error(`the sessions of the web page are not known: ${reason}`);
  }

  /** Removes what is over, so that no copy of the bucket grows. */
  async function sweep(): Promise<void> {
    for (const [key, { value, revision }] of mirror?.entries ?? []) {
      const isOver = value.type === "grant" ? !holds(value) : value.at + LONGEST_MS < now();
      if (!isOver) continue;
      noteGone(key);
      // Another coordinator may be quicker.
      await writer.erase(key, "PURGE", revision, WRITE_WITHIN_MS).catch(() => {});
    }
  }

  const timers = [
    setInterval(() => void (isMade || ensure()), RETRY_MS),
    setInterval(() => void sweep(), SWEEP_EVERY_MS),
  ];
  const stopped = new AbortController();
  void onReconnect(connection, ensure, stopped.signal);
  void ensure();

  async function readStored(key: string): Promise<{ grant: Grant; revision: number } | undefined> {
    const second = Math.floor(now() / 1000);
    reads = { second, count: reads.second === second ? reads.count + 1 : 1 };
    if (reads.count > MAX_READS_PER_SECOND) throw new Error("too many logins at once, try again");
    const { value, revision } = await readLatest(connection, WEB_BUCKET, key);
    const entry = value && decodeWebEntry(value, key);
    return entry?.type === "grant" ? { grant: entry, revision } : undefined;
  }

  return {
    trouble: () => (state.phase === "failed" ? state.reason : undefined),

    async put(kind, hash, grant) {
      checkLive();
      const value: WebEntry = { v: 1, type: "grant", ...grant };
      const key = webKey(kind, hash);
      const revision = await writer.put(key, encodeWebEntry(value), 0, WRITE_WITHIN_MS);
      mirror?.wrote(key, value, revision);
    },

    async find(hash) {
      checkLive();
      const key = webKey("session", hash);
      if (ended.has(key)) return undefined;
      const known = mirror?.entries.get(key)?.value;
      // The copy may not have the session yet that another coordinator has just opened.
      const grant = known?.type === "grant" ? known : (await readStored(key))?.grant;
      return grant && holds(grant) ? grant : undefined;
    },

    async take(hash) {
      checkLive();
      const key = webKey("link", hash);
      const stored = await readStored(key);
      if (!stored || !holds(stored.grant)) return undefined;
      try {
        await writer.erase(key, "PURGE", stored.revision, WRITE_WITHIN_MS);
      } catch (error) {
        if (isConflict(error)) return undefined;
        throw error;
      }
      return stored.grant;
    },

    async end(hash) {
      const key = webKey("session", hash);
      ended.add(key);
      onEnded(hash);
      const stored = await readStored(key);
      if (!stored) return;
      await writer.erase(key, "PURGE", stored.revision, WRITE_WITHIN_MS).catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
    },

    stop() {
      for (const timer of timers) clearInterval(timer);
      stopped.abort();
      mirror?.stop();
    },
  };
}

/** undefined: it is the key of something else. */
function hashOf(key: string): string | undefined {
  const prefix = webKey("session", "");
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}
