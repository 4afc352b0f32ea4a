/**
 * The settings bucket: everything that agents must know besides the bans. The coordinator that
 * decides writes its configuration into the bucket, and operators add to the allowlist. Every
 * coordinator follows the bucket.
 */
import { isDeepStrictEqual } from "node:util";
import { jetstreamManager, PubHeaders } from "@nats-io/jetstream";
import { Empty, headers, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { mirrorBucket, type BucketMirror } from "../../nats/bucket-mirror.ts";
import { isConflict } from "../../nats/compare-and-set.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { createStreamPublisher, type StreamPublisher } from "../../nats/stream-publisher.ts";
import {
  decodeSetting,
  encodeAllowed,
  encodeBucketReady,
  encodeJail,
  encodeDuplicateNotice,
  type Allowed,
  type Jail,
  type DuplicateNotice,
  type Setting,
} from "../../wire/settings.ts";
import {
  allowKey,
  jailKey,
  READY_KEY,
  duplicateKey,
  REMOVED_BECAUSE_HEADER,
  REMOVED_BY_HEADER,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";
import type { AllowedPlace, Allowlist } from "../../policy/allowlist.ts";
import { SettingsCopy } from "./settings-copy.ts";

export interface Settings {
  readonly allowlist: Allowlist;
  /** Writes what the configuration says, and removes what it no longer says. */
  publish(jails: readonly Jail[], allowed: WantedAllowlist): Promise<void>;
  allow(entry: Allowed): Promise<void>;
  /** `by` is who removes it, for the record; `reason` is why, or empty. */
  disallow(place: AllowedPlace, by: string, reason?: string): Promise<void>;
  /** Tells agents which of them are refused, by host, and takes back what no longer holds. */
  refuse(refused: ReadonlyMap<string, DuplicateNotice>): Promise<void>;
  /** Tells agents that the bans bucket created then is complete. */
  declareReady(bansCreated: string): Promise<void>;
  /** Which bans bucket was declared complete; null: none. */
  readyFor(): string | null;
  /** Has something been tampered since the last call, that is to be published again? */
  takeTampered(): boolean;
  /** Writes `value` under `key`, unless `isSame` says that it stands there. */
  write(key: string, value: Uint8Array, isSame: (present: Setting) => boolean): Promise<void>;
  /** Writes `value` under `key`, unless the bucket has ever had the key: what was erased stays so. */
  restore(key: string, value: Uint8Array): Promise<void>;
  erase(key: string): Promise<void>;
  /** `by` is who erases it, for the record. */
  eraseBy(key: string, by: string): Promise<void>;
  /** Resolves when everything has been read once. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** An entry of the allowlist that comes from the configuration. */
export type WantedEntry = Omit<Allowed, "v" | "addedAt" | "by" | "origin">;

/** What the configuration says of an entry. */
const OF_CONFIG = ["address", "jail", "comment", "name", "label", "until"] as const;

export interface WantedAllowlist {
  entries: readonly WantedEntry[];
  /** Do the entries of this host name stay although they are not wanted? */
  keeps: (name: string) => boolean;
}

/** Is what stands under a key what is to stand there? */
type IsSame = (present: Setting) => boolean;

export interface SettingsOptions {
  connection: NatsConnection;
  /** Hears of every entry that is read or changes; undefined: it is gone. */
  onSetting?: (key: string, setting: Setting | undefined) => void;
  log: Log;
}

const WRITE_WITHIN_MS = 5_000;
/** Erases an entry, as a client of NATS's buckets does. */
const DELETED = { "KV-Operation": "DEL" };
/** NATS refuses the message if the key has another one, also one that erased it. */
const AS_FIRST = { [PubHeaders.ExpectedLastSubjectSequenceHdr]: "0" };

export function openSettings(options: SettingsOptions): Settings {
  const store = new SettingsStore(options);
  return {
    allowlist: store.copy.allowlist,
    ready: store.mirror.ready,
    publish: (jails, allowed) => store.publish(jails, allowed),
    allow: (entry) => store.write(allowKey(entry), encodeAllowed(entry), never),
    disallow: (place, by, reason) => store.eraseBy(allowKey(place), by, reason),
    refuse: (refused) => store.refuse(refused),
    declareReady: (bansCreated) =>
      store.write(READY_KEY, encodeBucketReady({ v: 1, bansCreated }), never),
    readyFor() {
      const ready = store.copy.get(READY_KEY);
      return ready?.type === "ready" ? ready.bansCreated : null;
    },
    takeTampered: () => store.copy.takeTampered(),
    write: (key, value, isSame) => store.write(key, value, isSame),
    restore: (key, value) => store.restore(key, value),
    erase: (key) => store.erase(key),
    eraseBy: (key, by) => store.eraseBy(key, by),
    stop: () => store.mirror.stop(),
  };
}

/** For what is to be written whatever stands there. */
const never: IsSame = () => false;

class SettingsStore {
  readonly #connection: NatsConnection;
  readonly #publisher: StreamPublisher;
  readonly copy: SettingsCopy;
  readonly mirror: BucketMirror<Setting>;

  constructor({ connection, ...options }: SettingsOptions) {
    this.#connection = connection;
    this.#publisher = createStreamPublisher(connection);
    this.copy = new SettingsCopy(options);
    this.mirror = mirrorBucket({
      connection,
      bucket: SETTINGS_BUCKET,
      decode: decodeSetting,
      onEvent: (event) => this.copy.onEvent(event),
      log: options.log,
    });
  }

  async publish(jails: readonly Jail[], allowed: WantedAllowlist): Promise<void> {
    const isTrusted = await this.#isMirrorOfPresentBucket();
    const isKnown = (isSame: IsSame): IsSame => (isTrusted ? isSame : never);
    await this.#publishJails(jails, isKnown);
    for (const [key, bytes] of this.copy.damagedOfOperators()) await this.write(key, bytes, never);
    await this.#publishAllowlist(allowed, isKnown);
  }

  async refuse(refused: ReadonlyMap<string, DuplicateNotice>): Promise<void> {
    const wanted = new Set([...refused.keys()].map(duplicateKey));
    for (const key of this.copy.keysOf("duplicate-agents")) {
      if (!wanted.has(key)) await this.erase(key);
    }
    for (const [host, agents] of refused) {
      const isSame = (present: Setting) =>
        present.type === "duplicate-agents" && isDeepStrictEqual(present.refused, agents);
      await this.write(duplicateKey(host), encodeDuplicateNotice(agents), isSame);
    }
  }

  async write(key: string, value: Uint8Array, isSame: IsSame): Promise<void> {
    const present = this.copy.get(key);
    if (present && isSame(present) && this.copy.isReadable(key)) return;
    await this.#store(key, value, {});
    this.copy.put(key, decodeSetting(value, key));
  }

  async restore(key: string, value: Uint8Array): Promise<void> {
    try {
      await this.#store(key, value, AS_FIRST);
    } catch (error) {
      if (isConflict(error)) return;
      throw error;
    }
    this.copy.put(key, decodeSetting(value, key));
  }

  erase(key: string): Promise<void> {
    return this.#erase(key, DELETED);
  }

  eraseBy(key: string, by: string, reason = ""): Promise<void> {
    return this.#erase(key, {
      ...DELETED,
      [REMOVED_BY_HEADER]: encodeURIComponent(by),
      ...(reason !== "" && { [REMOVED_BECAUSE_HEADER]: encodeURIComponent(reason) }),
    });
  }

  async #erase(key: string, marks: Record<string, string>): Promise<void> {
    await this.#store(key, Empty, marks);
    this.copy.delete(key);
  }

  async #store(key: string, data: Uint8Array, marks: Record<string, string>): Promise<void> {
    const fields = headers();
    for (const [name, value] of Object.entries(marks)) fields.set(name, value);
    const subject = `$KV.${SETTINGS_BUCKET}.${key}`;
    await this.#publisher.publish({ subject, data, headers: fields, timeout: WRITE_WITHIN_MS });
  }

  /** The mirror may not have noticed yet that NATS has lost the bucket, and that it was made anew. */
  async #isMirrorOfPresentBucket(): Promise<boolean> {
    const manager = await jetstreamManager(this.#connection, { checkAPI: false });
    const { created } = await manager.streams.info(bucketStream(SETTINGS_BUCKET));
    const state = this.mirror.state();
    return state.phase === "live" && state.bucketId === created;
  }

  async #publishJails(jails: readonly Jail[], isKnown: (isSame: IsSame) => IsSame): Promise<void> {
    for (const jail of jails) {
      const isSame = (present: Setting) =>
        present.type === "jail" && isDeepStrictEqual(present.jail, jail);
      await this.write(jailKey(jail.name), encodeJail(jail), isKnown(isSame));
    }
    const wanted = new Set(jails.map(({ name }) => jailKey(name)));
    for (const key of this.copy.keysOf("jail")) if (!wanted.has(key)) await this.erase(key);
  }

  async #publishAllowlist(
    { entries, keeps }: WantedAllowlist,
    isKnown: (isSame: IsSame) => IsSame,
  ): Promise<void> {
    const wanted = new Map(entries.map((entry) => [allowKey(entry), entry]));
    for (const entry of this.copy.allowlist.list()) {
      const isKept = entry.name !== undefined && keeps(entry.name);
      const isOver = entry.origin === "config" && !wanted.has(allowKey(entry)) && !isKept;
      if (isOver) await this.erase(allowKey(entry));
    }
    const made = { v: 1, by: "config", origin: "config" } as const;
    for (const [key, entry] of wanted) {
      const isSame = (present: Setting) =>
        present.type === "allowed" &&
        present.entry.origin === "config" &&
        OF_CONFIG.every((field) => present.entry[field] === entry[field]);
      const bytes = encodeAllowed({ ...made, ...entry, addedAt: Date.now() });
      await this.write(key, bytes, isKnown(isSame));
    }
  }
}
