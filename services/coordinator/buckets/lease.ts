/**
 * Which of several coordinators decides: the one whose claim stands in the lease.
 *
 *   waiting --the lease is free, or has not changed for 4 s by our own clock--> leading
 *   leading --renewed every second--> leading
 *   leading --another coordinator's claim, or no renewal for 3 s--> waiting
 *   waiting --still our claim, because nobody took the lease meanwhile--> leading
 *
 * Invariants:
 * - Every step is a compare-and-set, so two coordinators cannot take the lease at once.
 * - The leader gives up a second before another coordinator may take over.
 * - No host's clock is compared with another's.
 * - A write may be stored although nobody said so, when the server that leads the bucket dies. So
 *   the claim that the bucket holds tells whose the lease is, not what we remember to have written.
 */
import { TimeoutError, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint, type Complaint } from "../../process/retry.ts";
import { LeaseTakenError, openLeaseBucket, type Claim, type LeaseBucket } from "./lease-bucket.ts";

const RENEW_EVERY_MS = 1_000;
const STALE_AFTER_MS = 4_000;
const GIVE_UP_AFTER_MS = 3_000;

export interface Lease {
  /** Does this coordinator decide, at this moment? */
  isLeader(): boolean;
  /** The coordinator that holds the lease, as far as this one knows; null: nobody. */
  holder(): string | null;
  /** Why NATS does not store the lease, for example a full store, if nobody can decide because of it. */
  trouble(): string | undefined;
  /** Gives the lease back, for another coordinator to take at once. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  connection: NatsConnection;
  id: string;
  log: Log;
  onTaken: () => void;
}

/** Takes the lease whenever it can be taken, and renews it. */
export function openLease({ connection, ...options }: LeaseOptions): Lease {
  const bucket = openLeaseBucket(connection);
  const candidate = new Candidate({ ...options, bucket, now: () => performance.now() });
  const timer = setInterval(() => void candidate.round(), RENEW_EVERY_MS);
  void candidate.round();
  return {
    isLeader: () => candidate.isLeader(),
    holder: () => candidate.holder(),
    trouble: () => candidate.trouble(),
    async release() {
      clearInterval(timer);
      await candidate.resign(() => !connection.isClosed());
    },
  };
}

type Phase =
  | { phase: "waiting"; seen: Sighting | undefined } // undefined: the bucket was not read yet.
  | { phase: "leading"; lease: HeldLease };

/** The lease while this coordinator has it. */
interface HeldLease {
  claim: Claim;
  revision: number;
  /** By our own clock. */
  expiresAt: number;
}

/** What the bucket has shown, and since when by our own clock. */
interface Sighting {
  revision: number;
  /** null: the lease is free, or nobody can read it. */
  owner: string | null;
  since: number;
}

export interface CandidateOptions {
  bucket: LeaseBucket;
  /** Names this coordinator. */
  id: string;
  log: Log;
  onTaken: () => void;
  /** Our own clock: milliseconds, of any beginning. */
  now: () => number;
}

/** A coordinator that would lead. Its owner calls `round` every second. */
export class Candidate {
  readonly #options: CandidateOptions;
  #phase: Phase = { phase: "waiting", seen: undefined };
  /** Our last claim. NATS may have stored it although it has not said so. */
  #claim: Claim | undefined;
  /** Why NATS has not stored our last claim; undefined: NATS has, or another coordinator was quicker. */
  #trouble: string | undefined;
  /** Complains in the log of what keeps NATS from storing the lease. */
  readonly #complaint: Complaint;
  /** Resolves when the last round is over. Rounds run one after another. */
  #rounds: Promise<void> = Promise.resolve();
  #hasResigned = false;

  constructor(options: CandidateOptions) {
    this.#options = options;
    const { id, log } = options;
    this.#complaint = createComplaint((reason) => {
      log.error({ id, reason }, "NATS does not store the lease, keeps trying");
    });
  }

  isLeader(): boolean {
    return this.#phase.phase === "leading" && this.#options.now() < this.#phase.lease.expiresAt;
  }

  holder(): string | null {
    if (this.#phase.phase === "leading") return this.#options.id;
    return this.#phase.seen?.owner ?? null;
  }

  trouble(): string | undefined {
    return this.#phase.phase === "leading" ? undefined : this.#trouble;
  }

  /** Acquires the lease if it can be taken, renews it if it is ours. */
  round(): Promise<void> {
    this.#rounds = this.#rounds.then(() => (this.#hasResigned ? undefined : this.#doRound()));
    return this.#rounds;
  }

  /** Ends all rounds, and releases the lease if it is ours and NATS can be asked. */
  async resign(canAsk: () => boolean): Promise<void> {
    this.#hasResigned = true;
    await this.#rounds;
    if (this.#phase.phase === "leading" && canAsk()) await this.#release(this.#phase.lease);
  }

  async #doRound(): Promise<void> {
    try {
      if (this.#phase.phase === "leading") await this.#renew(this.#phase.lease);
      else await this.#tryToAcquire(this.#phase.seen);
      this.#note(undefined);
    } catch (error) {
      // Another coordinator was quicker, or NATS is away: either way there is another round.
      this.#note(error instanceof LeaseTakenError ? undefined : explain(error));
      if (this.#phase.phase === "leading") await this.#reconsider(this.#phase.lease, error);
    }
  }

  async #tryToAcquire(before: Sighting | undefined): Promise<void> {
    const { id, now } = this.#options;
    const { ours, ...found } = await this.#look();
    const isUnchanged = before?.revision === found.revision && found.revision !== 0;
    const seen = isUnchanged ? before : { ...found, since: now() };
    this.#phase = { phase: "waiting", seen };
    const isStale = now() - seen.since >= STALE_AFTER_MS;
    if (seen.owner !== null && !isStale && !ours) return;
    await this.#acquire(ours ?? { owner: id, takenAt: Date.now() }, seen.revision);
  }

  async #acquire(claim: Claim, replaced: number): Promise<void> {
    const { id, log, onTaken } = this.#options;
    this.#claim = claim;
    await this.#renew({ claim, revision: replaced });
    log.info({ id }, "lease taken: this coordinator decides");
    onTaken();
  }

  async #renew({ claim, revision: replaced }: Omit<HeldLease, "expiresAt">): Promise<void> {
    const { bucket, now } = this.#options;
    const expiresAt = now() + GIVE_UP_AFTER_MS;
    const revision = await bucket.write(claim, replaced);
    this.#phase = { phase: "leading", lease: { claim, revision, expiresAt } };
  }

  async #release({ revision }: HeldLease): Promise<void> {
    const { bucket, id, log } = this.#options;
    try {
      await bucket.erase(revision);
    } catch (error) {
      // NATS is away, or another coordinator has the lease already. It runs out by itself.
      log.info({ id, reason: explain(error) }, "lease is not given back, it runs out in 4 s");
    }
  }

  /** The lease could not be renewed: it is lost if another coordinator has it, or if it has run out. */
  async #reconsider(lease: HeldLease, error: unknown): Promise<void> {
    const { id, log } = this.#options;
    const found = await this.#look().catch(() => undefined);
    const isOthers = found !== undefined && found.ours === undefined;
    if (found?.ours) {
      this.#phase = { phase: "leading", lease: { ...lease, revision: found.revision } };
    }
    if (!isOthers && this.isLeader()) return;
    log.warn({ id, reason: reasonOf(error) }, "lease lost: this coordinator no longer decides");
    this.#phase = { phase: "waiting", seen: undefined };
  }

  /** `ours` is our last claim where the bucket holds it. */
  async #look(): Promise<Omit<Sighting, "since"> & { ours: Claim | undefined }> {
    const { bucket, log } = this.#options;
    const stored = await bucket.read();
    const { revision } = stored;
    switch (stored.state) {
      case "free":
        return { revision, owner: null, ours: undefined };
      case "claimed": {
        const { owner, takenAt } = stored.claim;
        const isOurs = owner === this.#claim?.owner && takenAt === this.#claim.takenAt;
        return { revision, owner, ours: isOurs ? this.#claim : undefined };
      }
      case "unreadable":
        log.error({ reason: stored.reason }, "unreadable lease, treating it as free");
        return { revision, owner: null, ours: undefined };
    }
  }

  /** undefined: NATS has stored the lease, or another coordinator has it. */
  #note(trouble: string | undefined): void {
    this.#trouble = trouble;
    if (trouble === undefined || this.#phase.phase === "leading") this.#complaint.over();
    else this.#complaint.failed(trouble);
  }
}

function explain(error: unknown): string {
  if (error instanceof TimeoutError) return "it does not answer in time";
  return reasonOf(error);
}
