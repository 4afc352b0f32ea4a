/**
 * What the coordinator has set for the fleet, as this host knows it: jails and
 * allowlist. The last known jails are kept on disk, so the rules stand at boot
 * before NATS can be reached.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import * as z from "zod";
import type { Log } from "../process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../nats/bucket-mirror.ts";
import type { Address } from "../wire/address.ts";
import { createAddressTrie } from "../wire/address-trie.ts";
import {
  decodeSetting,
  jail as jailSchema,
  type Allowed,
  type Jail,
  type DuplicateNotice,
  type Setting,
} from "../wire/settings.ts";
import { createHostGroup } from "../wire/host-pattern.ts";
import { addressOfAllowKey, READY_KEY, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { readState, writeState } from "./state/state-file.ts";

export interface FleetSettings {
  /** The fleet's jails; until the agent has read them, those that this host knew last. */
  jails(): readonly Jail[];
  /** Is the jail one of this host? A jail that is not known is. */
  isJailOf(jail: string, host: string): boolean;
  /** An entry of the allowlist that has an address in common with `address`. */
  allowed(address: Address): Allowed | undefined;
  /** Whether the allowlist, and everything else, has been read since this start. */
  isKnown(): boolean;
  /** Resolves when that is so; after `withinMs` also when it is not. */
  known(withinMs: number): Promise<void>;
  /** The bans bucket (by its creation time) that is declared complete; null: none. */
  readyFor(): string | null;
  /** Calls `listener` once when everything was read, then at every change. */
  onChange(listener: () => void): void;
  /** Follows the settings bucket from here on. */
  follow(connection: NatsConnection): void;
}

export interface FleetSettingsOptions {
  stateDir: string;
  /** What this host knew last. */
  jails: readonly Jail[];
  log: Log;
  host: string;
  /** Names this start of the agent. */
  instance: string;
  /** Another agent is at work under this host's name, and this one must end. */
  onDuplicate: (notice: DuplicateNotice) => void;
}

const settingsPath = (stateDir: string) => join(stateDir, "jails.json");

/** fleetban's default jail, for a host that has never heard of its coordinator. */
const DEFAULT_JAIL: Jail = {
  v: 1,
  name: "dovecot",
  ports: [110, 995, 143, 993],
  maxretry: 5,
  findtime: 1200,
  bantime: 1200,
};

export async function lastKnownJails(stateDir: string): Promise<Jail[]> {
  const known = await readState(settingsPath(stateDir), z.array(jailSchema));
  return known && known.length > 0 ? known : [DEFAULT_JAIL];
}

export function createFleetSettings(options: FleetSettingsOptions): FleetSettings {
  const { stateDir, log, host, instance, onDuplicate } = options;
  const listeners: (() => void)[] = [];
  const jails = new Map<string, Jail>();
  const allowed = createAddressTrie<Allowed>();
  let readyFor: string | null = null;
  let isComplete = false;
  /** Whether the bucket has been read as a whole since this start. */
  let isKnown = false;
  let noteKnown: () => void = () => {};
  const known = new Promise<void>((resolve) => (noteKnown = resolve));
  /** Which hosts the jails are for that are not for all; undefined: to be found out again. */
  let groups: Map<string, (host: string) => boolean> | undefined;
  /** The jails have changed since they were kept on disk. */
  let areJailsNew = true;

  function forget(key: string): void {
    if (jails.delete(key)) areJailsNew = true;
    groups = undefined;
    const address = addressOfAllowKey(key);
    if (address !== undefined) allowed.delete(address);
    if (key === READY_KEY) readyFor = null;
  }

  function learn(key: string, setting: Setting): void {
    switch (setting.type) {
      case "jail":
        jails.set(key, setting.jail);
        areJailsNew = true;
        groups = undefined;
        return;
      case "allowed":
        allowed.set(setting.entry.address, setting.entry);
        return;
      case "ready":
        readyFor = setting.bansCreated;
        return;
      case "duplicate-agents":
        if (setting.host !== host || !setting.refused.instances.includes(instance)) return;
        onDuplicate(setting.refused);
        return;
      case "machine":
      case "quarantine":
      case "other":
        return;
    }
  }

  function changed(): void {
    if (!isComplete) return;
    if (areJailsNew) keepJails();
    for (const listener of listeners) listener();
  }

  function keepJails(): void {
    areJailsNew = false;
    const encoded = z.encode(z.array(jailSchema), [...jails.values()]);
    writeState(settingsPath(stateDir), encoded).catch((error: unknown) => {
      log.error({ err: error }, "jails cannot be kept on disk");
    });
  }

  function onEvent(event: MirrorEvent<Setting>): void {
    switch (event.type) {
      case "loading":
        isComplete = false;
        return;
      case "put":
        learn(event.key, event.value);
        changed();
        return;
      case "deleted":
      case "rolled-back":
        forget(event.key);
        changed();
        return;
      case "unreadable":
        log.error({ key: event.key, reason: event.reason }, "setting cannot be decoded");
        return;
      case "live":
        isComplete = true;
        isKnown = true;
        noteKnown();
        groups = undefined;
        changed();
        return;
    }
  }

  const present = () => (isKnown ? [...jails.values()] : options.jails);

  return {
    jails: present,
    isJailOf(jail, of) {
      groups ??= groupsOf(present());
      return groups.get(jail)?.(of) ?? true;
    },
    allowed: allowed.find,
    isKnown: () => isKnown,
    known: (withinMs) => Promise.race([known, sleep(withinMs, undefined, { ref: false })]),
    readyFor: () => readyFor,
    onChange: (listener) => void listeners.push(listener),
    follow(connection) {
      mirrorBucket({ connection, bucket: SETTINGS_BUCKET, decode: decodeSetting, onEvent, log });
    },
  };
}

const groupsOf = (jails: readonly Jail[]) =>
  new Map(jails.flatMap(({ name, hosts }) => (hosts ? [[name, createHostGroup(hosts)]] : [])));
