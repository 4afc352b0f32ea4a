/**
 * The settings bucket: everything that agents must know besides the bans. The coordinator that
 * decides writes its configuration into the bucket, and operators add to the allowlist. Every
 * coordinator follows the bucket.
 */
import { isDeepStrictEqual } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { Empty, headers, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../../nats/bucket-mirror.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { createStreamPublisher } from "../../nats/stream-publisher.ts";
import {
  decodeSetting,
  encodeAllowed,
  encodeBucketReady,
  encodeJail,
  encodeJailPause,
  encodeJailSetting,
  encodeDuplicateNotice,
  encodeQuarantine,
  type Allowed,
  type Jail,
  type DuplicateNotice,
  type Setting,
} from "../../wire/settings.ts";
import {
  allowKey,
  jailKey,
  placeOfAllowKey,
  READY_KEY,
  duplicateKey,
  REMOVED_BY_HEADER,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";
import { createAllowlist, type AllowedPlace, type Allowlist } from "../../policy/allowlist.ts";

export interface Settings {
  readonly allowlist: Allowlist;
  /** Writes what the configuration says, and removes what it no longer says. */
  publish(jails: readonly Jail[], allowed: WantedAllowlist): Promise<void>;
  allow(entry: Allowed): Promise<void>;
  /** `by` is who removes it, for the record. */
  disallow(place: AllowedPlace, by: string): Promise<void>;
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
  erase(key: string): Promise<void>;
  /** `by` is who erases it, for the record. */
  eraseBy(key: string, by: string): Promise<void>;
  /** Resolves when everything has been read once. */
  readonly ready: Promise<void>;
  stop(): void;
}

/** An entry of the allowlist that comes from the configuration. */
export type WantedEntry = Pick<Allowed, "address" | "comment" | "name">;

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

export function openSettings({ connection, onSetting, log }: SettingsOptions): Settings {
  const allowlist = createAllowlist();
  /** What stands under each key, as it was last readable. */
  const settings = new Map<string, Setting>();
  /** Keys of what somebody who is no coordinator has written over. */
  const unreadable = new Set<string>();
  /** Entries that operators have made and NATS has lost, by key. */
  const lost = new Map<string, Setting>();
  let isSpoiled = false;

  function forget(key: string): void {
    settings.delete(key);
    unreadable.delete(key);
    const place = placeOfAllowKey(key);
    if (place) allowlist.delete(place);
    onSetting?.(key, undefined);
  }

  function learn(key: string, setting: Setting): void {
    settings.set(key, setting);
    unreadable.delete(key);
    if (setting.type === "allowed") allowlist.set(setting.entry);
    onSetting?.(key, setting);
  }

  function onEvent(event: MirrorEvent<Setting>): void {
    switch (event.type) {
      case "loading":
      case "live":
        return;
      case "put":
        learn(event.key, event.value);
        return;
      case "deleted":
        // Only a coordinator with another configuration deletes an entry of the configuration.
        if (settings.get(event.key)?.type === "jail") isSpoiled = true;
        forget(event.key);
        return;
      case "rolled-back":
        if (isOfOperator(event.previous)) lost.set(event.key, event.previous);
        isSpoiled = true;
        forget(event.key);
        return;
      case "unreadable":
        log.error(
          { key: event.key, reason: event.reason },
          "setting was modified by an unauthorized writer",
        );
        isSpoiled = true;
        unreadable.add(event.key);
        return;
    }
  }

  const mirror = mirrorBucket({
    ...{ connection, bucket: SETTINGS_BUCKET, decode: decodeSetting, onEvent, log },
  });
  const publisher = createStreamPublisher(connection);

  async function store(key: string, data: Uint8Array, fields: Record<string, string>) {
    const marks = headers();
    for (const [name, value] of Object.entries(fields)) marks.set(name, value);
    const subject = `$KV.${SETTINGS_BUCKET}.${key}`;
    await publisher.publish({ subject, data, headers: marks, timeout: WRITE_WITHIN_MS });
  }

  /** Writes what stands under the key not yet, or not so. */
  async function ensure(key: string, value: Uint8Array, isSame: IsSame): Promise<void> {
    const present = settings.get(key);
    if (present && isSame(present) && !unreadable.has(key)) return;
    await store(key, value, {});
    learn(key, decodeSetting(value, key));
  }

  async function erase(key: string): Promise<void> {
    await store(key, Empty, DELETED);
    forget(key);
  }

  async function eraseBy(key: string, by: string): Promise<void> {
    await store(key, Empty, { ...DELETED, [REMOVED_BY_HEADER]: encodeURIComponent(by) });
    forget(key);
  }

  /** Entries that an operator has made, and that somebody has written over, or NATS has lost. */
  async function restoreOperators(): Promise<void> {
    for (const key of unreadable) {
      const bytes = encodeOfOperator(settings.get(key));
      if (bytes) await ensure(key, bytes, () => false);
    }
    for (const [key, setting] of lost) {
      const bytes = encodeOfOperator(setting);
      if (bytes && !settings.has(key)) await ensure(key, bytes, () => false);
      lost.delete(key);
    }
  }

  /** The mirror may not have noticed yet that NATS has lost the bucket, and that it was made anew. */
  async function isMirrorOfPresentBucket(): Promise<boolean> {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const { created } = await manager.streams.info(bucketStream(SETTINGS_BUCKET));
    const state = mirror.state();
    return state.phase === "live" && state.bucketId === created;
  }

  async function publishAllowlist(
    { entries, keeps }: WantedAllowlist,
    isKnown: (isSame: IsSame) => IsSame,
  ): Promise<void> {
    const wanted = new Map(entries.map((entry) => [entry.address, entry]));
    for (const entry of allowlist.list()) {
      const isKept = entry.name !== undefined && keeps(entry.name);
      const isOver = entry.origin === "config" && !wanted.has(entry.address) && !isKept;
      if (isOver) await erase(allowKey(entry));
    }
    const made = { v: 1, by: "config", origin: "config" } as const;
    for (const [address, { comment, name }] of wanted) {
      const named = name === undefined ? {} : { name };
      const entry: Allowed = { ...made, address, comment, addedAt: Date.now(), ...named };
      const isSame = (present: Setting) =>
        present.type === "allowed" &&
        present.entry.origin === "config" &&
        present.entry.name === name;
      await ensure(allowKey(entry), encodeAllowed(entry), isKnown(isSame));
    }
  }

  return {
    allowlist,
    ready: mirror.ready,

    async publish(jails, allowed) {
      const isTrusted = await isMirrorOfPresentBucket();
      const isKnown = (isSame: IsSame): IsSame => (isTrusted ? isSame : () => false);
      for (const jail of jails) {
        const isSame = (present: Setting) =>
          present.type === "jail" && isDeepStrictEqual(present.jail, jail);
        await ensure(jailKey(jail.name), encodeJail(jail), isKnown(isSame));
      }
      const wanted = new Set(jails.map(({ name }) => jailKey(name)));
      for (const [key, { type }] of settings) {
        if (type === "jail" && !wanted.has(key)) await erase(key);
      }
      await restoreOperators();
      await publishAllowlist(allowed, isKnown);
    },

    write: ensure,
    ...{ erase, eraseBy },
    allow: (entry) => ensure(allowKey(entry), encodeAllowed(entry), () => false),
    disallow: (place, by) => eraseBy(allowKey(place), by),

    async refuse(refused) {
      const wanted = new Set([...refused.keys()].map(duplicateKey));
      for (const [key, { type }] of settings) {
        if (type === "duplicate-agents" && !wanted.has(key)) await erase(key);
      }
      for (const [host, agents] of refused) {
        const isSame = (present: Setting) =>
          present.type === "duplicate-agents" && isDeepStrictEqual(present.refused, agents);
        await ensure(duplicateKey(host), encodeDuplicateNotice(agents), isSame);
      }
    },

    declareReady: (bansCreated) =>
      ensure(READY_KEY, encodeBucketReady({ v: 1, bansCreated }), () => false),
    readyFor() {
      const present = settings.get(READY_KEY);
      return present?.type === "ready" ? present.bansCreated : null;
    },

    takeTampered() {
      const taken = isSpoiled;
      isSpoiled = false;
      return taken;
    },

    stop: mirror.stop,
  };
}

const isOfOperator = (setting: Setting) => encodeOfOperator(setting) !== undefined;

/** undefined: no operator has set that, a coordinator's configuration or its own work brings it. */
function encodeOfOperator(setting: Setting | undefined): Uint8Array | undefined {
  if (setting?.type === "quarantine") return encodeQuarantine(setting.quarantine);
  if (setting?.type === "jail-setting") return encodeJailSetting(setting.setting);
  if (setting?.type === "jail-pause") return encodeJailPause(setting.pause);
  const isAllowed = setting?.type === "allowed" && setting.entry.origin === "operator";
  return isAllowed ? encodeAllowed(setting.entry) : undefined;
}
