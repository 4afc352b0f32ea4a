/**
 * Every ban that this host knows, wherever it knows the ban from:
 *
 * - the mirror: the entries of the bucket, as far as they are read;
 * - ahead: bans that NATS has delivered ahead of older ones (see ahead-bans.ts);
 * - unreadable: bans whose entries somebody has made unreadable. A coordinator writes them again;
 * - kept: in force here although the bucket does not show them: saved on disk, or lost by NATS;
 * - local: what this host has decided alone (see local-bans.ts).
 *
 * The first four are the fleet's. Where two places have a ban of one key, the last one named by an
 * iteration counts.
 */
import type { AheadEntry, BucketMirror } from "../../nats/bucket-mirror.ts";
import { banKey } from "../../wire/subjects.ts";
import { createAheadBans } from "./ahead-bans.ts";
import type { HostBan, Verdict } from "./ban-filter.ts";
import { createLocalBans, type LocalBans } from "./local-bans.ts";

export type BansMirror = Pick<BucketMirror<HostBan>, "entries" | "state" | "revision" | "stop">;

export class KnownBans {
  /** undefined: the bucket is not followed yet. */
  #mirror: BansMirror | undefined;
  readonly #ahead = createAheadBans();
  readonly #unreadable = new Map<string, HostBan>();
  readonly #kept = new Map<string, HostBan>();
  readonly local: LocalBans;

  /** `judge` says what becomes of a ban on this host, now. */
  constructor(judge: (ban: HostBan) => Verdict) {
    this.local = createLocalBans(judge);
  }

  mirror(mirror: BansMirror): void {
    this.#mirror = mirror;
  }

  stop(): void {
    this.#mirror?.stop();
  }

  /** The revision up to which the bucket is read; undefined: entries that are older may be missing. */
  revisionRead(): number | undefined {
    return this.#mirror?.state().phase === "live" ? this.#mirror.revision() : undefined;
  }

  /** These were in force when this host was last told. */
  keepSaved(bans: readonly HostBan[]): void {
    for (const ban of bans) this.#kept.set(banKey(ban.jail, ban.address), ban);
  }

  kept(): ReadonlyMap<string, HostBan> {
    return this.#kept;
  }

  /** NATS has lost the ban. */
  keepLost(key: string, ban: HostBan): void {
    this.#kept.set(key, ban);
  }

  /** The bucket is proved complete, and does not have the bans that were kept. */
  forgetKept(): void {
    this.#kept.clear();
  }

  noteUnreadable(key: string, ban: HostBan): void {
    this.#unreadable.set(key, ban);
  }

  noteAhead(entry: AheadEntry<HostBan>): void {
    this.#ahead.note(entry);
  }

  /** The mirror begins to read this bucket. */
  startReading(bucketId: string): void {
    this.#ahead.forgetOtherBuckets(bucketId);
  }

  /** The mirror has a new state of the ban, or knows that the ban is deleted. */
  noteRead(key: string): void {
    this.#kept.delete(key);
    this.#unreadable.delete(key);
    this.#ahead.forgetRead(key, this.#mirror?.revision() ?? 0);
  }

  /** The mirror has read every entry. */
  noteAllRead(): void {
    this.#ahead.forgetAllRead(this.#mirror?.revision() ?? 0);
  }

  ahead(): Iterable<[string, HostBan]> {
    return this.#ahead.bans();
  }

  /** Whether the state of the ban that the mirror has read is the one that NATS delivered ahead. */
  cameAhead(key: string): boolean {
    const entry = this.#mirror?.entries.get(key);
    return entry !== undefined && this.#ahead.hasState(key, entry.revision);
  }

  /** The ban as the bucket has it. */
  ofBucket(key: string): HostBan | undefined {
    return this.#ahead.has(key) ? this.#ahead.get(key) : this.#mirror?.entries.get(key)?.value;
  }

  /** The fleet's ban as this host knows it, in whatever state. */
  ofFleet(key: string): HostBan | undefined {
    return this.ofBucket(key) ?? this.#unreadable.get(key) ?? this.#kept.get(key);
  }

  *fleet(): Iterable<[string, HostBan]> {
    yield* this.#bucket();
    yield* this.#kept;
  }

  *all(): Iterable<[string, HostBan]> {
    yield* this.fleet();
    yield* this.local.standing((key) => this.ofFleet(key));
  }

  /** All but those that were kept: a bucket that is proved complete does not have them. */
  *allOfCompleteBucket(): Iterable<[string, HostBan]> {
    yield* this.#bucket();
    yield* this.local.standing((key) => this.ofBucket(key));
  }

  *#bucket(): Iterable<[string, HostBan]> {
    yield* this.#ahead.over(this.#mirror?.entries ?? new Map<string, never>());
    yield* this.#unreadable;
  }
}
