/**
 * Which addresses are known good: the digests of successful logins of all hosts, followed while a
 * jail has `knownGood`.
 *
 * NATS keeps the digests of the longest `within` in a stream of their own. Every coordinator reads
 * all of it, as it reads the failures. So one that starts or takes over knows what the last one
 * knew, and nothing else has to be kept or restored. Agents report again what NATS has lost.
 *
 * While the digests cannot be read, nobody is known good, and every address is banned at the usual
 * count.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { setTimeout as sleep } from "node:timers/promises";
import { ALL, followStream, type Following } from "../../nats/follow-stream.ts";
import type { StoredMessage } from "../../nats/delivery.ts";
import type { StreamReader } from "../../nats/stream-run.ts";
import { createLoginMemory, type LoginMemory } from "../../policy/login-memory.ts";
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { reasonOf } from "../../process/reason.ts";
import { withResolvers } from "../../process/with-resolvers.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeLoginDigest } from "../../wire/logins.ts";
import type { Jail } from "../../wire/settings.ts";
import { LOGINS_STREAM } from "../../wire/subjects.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { ensureLoginsStream } from "./logins-stream.ts";

export interface KnownGood extends Pick<LoginMemory, "hasLoggedIn" | "loginsOf"> {
  /**
   * Follows the digests if one of the jails has knownGood. Resolves when they are read, and soon
   * also when they cannot be.
   */
  follow(jails: readonly Jail[]): Promise<void>;
  /** Has one of the jails knownGood? Without it nothing is known of logins. */
  isFollowing(): boolean;
  sweep(): void;
  warnings(): Warning[];
}

export interface KnownGoodOptions {
  connection: NatsConnection;
  replicas: number;
  isQuarantined: (host: string) => boolean;
  now: () => number;
  log: Log;
}

/** Some 100 bytes each. */
const [PER_HOST, TOTAL] = [50_000, 500_000];
/** Deciding does not wait for digests that cannot be read. */
const PATIENCE_MS = 5_000;
const SWEEP_EVERY_MS = 600_000;
const COMPLAIN_EVERY_MS = 60_000;

export function createKnownGood(options: KnownGoodOptions): KnownGood {
  const digests = new LoginDigestReader(options);
  const { memory } = digests;
  return {
    hasLoggedIn: memory.hasLoggedIn,
    loginsOf: memory.loginsOf,
    follow: (jails) => digests.follow(jails),
    isFollowing: () => digests.within !== undefined,
    sweep: () => digests.sweep(),
    warnings: () => digests.warnings(),
  };
}

class LoginDigestReader implements StreamReader {
  readonly #options: KnownGoodOptions;
  readonly memory: LoginMemory;
  /** Seconds, the longest of the jails that are in use or about to be; undefined: none has knownGood. */
  within: number | undefined;
  /** undefined: no jail has ever asked for the digests. */
  #following: Following | undefined;
  readonly #caughtUp = withResolvers();
  /** Why the digests cannot be read; undefined: they can. */
  #trouble: string | undefined;
  /** What of the stream is not as it should be, in words. */
  #faults: readonly string[] = [];
  readonly #mayComplain: (subject: string) => boolean;
  readonly #maySweep: (kind: string) => boolean;

  constructor(options: KnownGoodOptions) {
    const { isQuarantined: isIgnored, now } = options;
    this.#options = options;
    this.memory = createLoginMemory({ perHost: PER_HOST, total: TOTAL, isIgnored });
    this.#mayComplain = createRateLimit(COMPLAIN_EVERY_MS, now);
    this.#maySweep = createRateLimit(SWEEP_EVERY_MS, now);
  }

  async follow(jails: readonly Jail[]): Promise<void> {
    const before = this.within;
    this.within = longestWithin(jails);
    if (this.within === undefined) return;
    if (!this.#following) this.#following = this.#start();
    else if (this.within !== before) this.#following.again(); // the stream is given the new age
    await Promise.race([this.#caughtUp.promise, sleep(PATIENCE_MS, undefined, { ref: false })]);
  }

  sweep(): void {
    if (this.within === undefined || !this.#maySweep("")) return;
    this.memory.sweep(this.#options.now() - this.within * 1000);
  }

  warnings(): Warning[] {
    if (this.within === undefined) return [];
    if (this.#trouble !== undefined) return [warn("logins-not-read", { reason: this.#trouble })];
    return this.#faults.map((fault) => warn("streams", { fault }));
  }

  begin(): void {}

  message({ subject, data, storedAt }: StoredMessage): void {
    try {
      const { host, logins } = decodeLoginDigest(data, subject);
      for (const { address, ago } of logins) {
        this.memory.note(host, address, storedAt - ago * 1000);
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (!this.#mayComplain(subject)) return;
      this.#options.log.warn({ subject, reason: error.message }, "logins cannot be decoded");
    }
  }

  caughtUp(): void {
    this.#caughtUp.resolve();
  }

  #start(): Following {
    const { connection, log } = this.#options;
    const prepare = () => this.#prepare();
    return followStream({ connection, stream: LOGINS_STREAM, startFrom: ALL, prepare, log }, this);
  }

  /** Before every run, because NATS may have lost the stream. */
  async #prepare(): Promise<void> {
    const { connection, replicas } = this.#options;
    if (this.within === undefined) return;
    try {
      this.#faults = await ensureLoginsStream(connection, { within: this.within, replicas });
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = reasonOf(error);
      throw error;
    }
  }
}

function longestWithin(jails: readonly Jail[]): number | undefined {
  const withins = jails.flatMap(({ knownGood }) => knownGood?.within ?? []);
  return withins.length === 0 ? undefined : Math.max(...withins);
}
