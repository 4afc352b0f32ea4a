/**
 * The bucket `fleetban_web` as this coordinator follows it. The bucket is made where it is missing,
 * and again after NATS has lost it. NATS may refuse that, for example to credentials that are older
 * than the web page: then nobody can log in, and the coordinator says why and tries again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import {
  mirrorBucket,
  type BucketMirror,
  type MirrorEntry,
  type MirrorEvent,
} from "../../nats/bucket-mirror.ts";
import { findStream } from "../../nats/find-stream.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { withResolvers } from "../../process/with-resolvers.ts";
import { WEB_BUCKET } from "../../wire/subjects.ts";
import { decodeWebEntry, type WebEntry } from "../../wire/web-sessions.ts";

const RETRY_MS = 10_000;
/** How long a request waits for the bucket of a coordinator that has just started. */
const OPENED_WITHIN_MS = 2_000;

type State =
  | { phase: "opening" } // The bucket is made, and its entries are read.
  | { phase: "live" } // Every entry has been read; changes arrive as they are made.
  | { phase: "failed"; reason: string }; // NATS refuses the bucket; it is tried again.

export interface WebBucketOptions {
  connection: NatsConnection;
  replicas: number;
  /** How long NATS keeps an entry. */
  ttlMs: number;
  onEvent: (event: MirrorEvent<WebEntry>) => void;
  log: Log;
}

export class WebBucket {
  readonly #options: WebBucketOptions;
  #state: State = { phase: "opening" };
  /** Resolves when it is not opening any more. */
  readonly #opened = withResolvers();
  /** Whether the bucket was there when this coordinator last looked for it. */
  #isMade = false;
  /** The bucket is looked for and made once at a time. */
  #making: Promise<void> | undefined;
  #mirror: BucketMirror<WebEntry> | undefined;
  readonly #retry: NodeJS.Timeout;
  readonly #stopped = new AbortController();

  constructor(options: WebBucketOptions) {
    this.#options = options;
    this.#retry = setInterval(() => void (this.#isMade || this.#ensure()), RETRY_MS);
    void onReconnect(options.connection, () => this.#ensure(), this.#stopped.signal);
    void this.#ensure();
  }

  entries(): ReadonlyMap<string, MirrorEntry<WebEntry>> {
    return this.#mirror?.entries ?? new Map<string, MirrorEntry<WebEntry>>();
  }

  /** We have written this entry: the copy has it at once. */
  wrote(key: string, value: WebEntry, revision: number): void {
    this.#mirror?.wrote(key, value, revision);
  }

  /** Why nobody can log in; undefined: people can, or it is not known yet. */
  trouble(): string | undefined {
    return this.#state.phase === "failed" ? this.#state.reason : undefined;
  }

  /** Resolves when the entries are known, for which somebody may wait a moment; else it throws. */
  async untilLive(): Promise<void> {
    if (this.#state.phase === "opening") {
      await Promise.race([
        this.#opened.promise,
        sleep(OPENED_WITHIN_MS, undefined, { ref: false }),
      ]);
    }
    if (this.#state.phase === "live") return;
    const reason = this.trouble() ?? "they are not read yet";
    throw new Error(`the sessions of the web page are not known: ${reason}`);
  }

  stop(): void {
    clearInterval(this.#retry);
    this.#stopped.abort();
    this.#mirror?.stop();
  }

  #ensure(): Promise<void> {
    this.#isMade = false;
    this.#making ??= this.#make()
      .catch((error: unknown) => this.#noteTrouble(error))
      .finally(() => (this.#making = undefined));
    return this.#making;
  }

  /** Makes the bucket where it is missing, and follows it. */
  async #make(): Promise<void> {
    const { connection, replicas, ttlMs: ttl, log } = this.#options;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    if (!(await findStream(manager, bucketStream(WEB_BUCKET)))) {
      await new Kvm(connection).create(WEB_BUCKET, { history: 1, replicas, ttl });
    }
    this.#mirror ??= mirrorBucket({
      ...{ connection, bucket: WEB_BUCKET, decode: decodeWebEntry, log },
      onEvent: (event) => this.#onEvent(event),
    });
    this.#isMade = true;
  }

  #onEvent(event: MirrorEvent<WebEntry>): void {
    if (event.type === "live") this.#enter({ phase: "live" });
    this.#options.onEvent(event);
  }

  #enter(state: State): void {
    this.#state = state;
    this.#opened.resolve();
  }

  #noteTrouble(error: unknown): void {
    const state = this.#state;
    if (state.phase === "live") return;
    const reason = reasonOf(error);
    this.#enter({ phase: "failed", reason });
    if (state.phase === "failed" && state.reason === reason) return;
    this.#options.log.warn({ reason }, "nobody can log in to the web page, keeps trying");
  }
}
