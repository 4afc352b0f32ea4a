/**
 * What the coordinator has set for the fleet, as this host knows it: jails and
 * allowlist. The last known jails are kept on disk, so the rules stand at boot
 * before NATS can be reached.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../nats/bucket-mirror.ts";
import type { Address } from "../wire/address.ts";
import type { Drill } from "../wire/drill.ts";
import {
  decodeSetting,
  type Allowed,
  type Jail,
  type DuplicateNotice,
  type Setting,
  type SignOfLife,
} from "../wire/settings.ts";
import { createHostGroup } from "../wire/host-pattern.ts";
import { placeOfAllowKey, READY_KEY, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { createSavedSettings, type LastSettings } from "./saved-settings.ts";
import { createSparedAddresses } from "./spared-addresses.ts";

export interface FleetSettings {
  /** The fleet's jails; until the agent has read them, those that this host knew last. */
  jails(): readonly Jail[];
  /** Is the jail one of this host? A jail that is not known is. */
  isJailOf(jail: string, host: string): boolean;
  /** An entry of the allowlist that covers bans of the jail and has an address in common with `address`. */
  allowed(address: Address, jail: string): Allowed | undefined;
  /** Why no automatic ban of the jail touches `address`, as this host knew last; undefined: one may. */
  whySpared(address: Address, jail: string): string | undefined;
  /** Does this host know the fleet's policy, from now or from before? */
  hasPolicy(): boolean;
  /** Calls `listener` at every sign of life of the leader that is read. */
  onSignOfLife(listener: (sign: SignOfLife) => void): void;
  /** Calls `listener` when this host is to do a drill. */
  onDrill(listener: (drill: Drill) => void): void;
  /** Whether the allowlist, and everything else, has been read since this start. */
  isKnown(): boolean;
  /** Resolves when that is so; when one of the times is over, also when it is not. */
  known(within: { beginMs: number; readMs: number }): Promise<void>;
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
  last: LastSettings;
  log: Log;
  host: string;
  /** Names this start of the agent. */
  instance: string;
  /** Another agent is at work under this host's name, and this one must end. */
  onDuplicate: (notice: DuplicateNotice) => void;
}

export function createFleetSettings(options: FleetSettingsOptions): FleetSettings {
  const { stateDir, last, log, host, instance, onDuplicate } = options;
  const listeners: (() => void)[] = [];
  const jails = new Map<string, Jail>();
  let readyFor: string | null = null;
  let isComplete = false;
  /** Whether the bucket has been read as a whole since this start. */
  let isKnown = false;
  let noteKnown: () => void = () => {};
  const known = new Promise<void>((resolve) => (noteKnown = resolve));
  let noteBegun: () => void = () => {};
  const begun = new Promise<void>((resolve) => (noteBegun = resolve));
  /** Which hosts the jails are for that are not for all; undefined: to be found out again. */
  let groups: Map<string, (host: string) => boolean> | undefined;
  const drillListeners: ((drill: Drill) => void)[] = [];
  const signListeners: ((sign: SignOfLife) => void)[] = [];
  const spared = createSparedAddresses(last);
  const saved = createSavedSettings({
    ...{ stateDir, log, jails: () => jails.values() },
    ...{ allowed: spared.allowlist, machines: spared.machines },
  });
  /** What has changed since it was kept on disk. */
  const unsaved = { jails: true, spared: true };

  function forget(key: string): void {
    if (jails.delete(key)) unsaved.jails = true;
    groups = undefined;
    const place = placeOfAllowKey(key);
    if (place) spared.disallow(place);
    if (place || spared.deleteMachine(key)) unsaved.spared = true;
    if (key === READY_KEY) readyFor = null;
  }

  function learn(key: string, setting: Setting): void {
    switch (setting.type) {
      case "jail":
        jails.set(key, setting.jail);
        unsaved.jails = true;
        groups = undefined;
        return;
      case "allowed":
        spared.allow(setting.entry);
        unsaved.spared = true;
        return;
      case "leader":
        for (const listener of signListeners) listener(setting.sign);
        return;
      case "machine":
        spared.setMachine(key, setting.machine);
        unsaved.spared = true;
        return;
      case "ready":
        readyFor = setting.bansCreated;
        return;
      case "duplicate-agents":
        if (setting.host !== host || !setting.refused.instances.includes(instance)) return;
        onDuplicate(setting.refused);
        return;
      case "drill":
        // What was commanded before this agent was at work is over.
        if (setting.host !== host || !isComplete) return;
        for (const listener of drillListeners) listener(setting.drill);
        return;
      case "jail-setting":
      case "jail-pause":
      case "quarantine":
      case "refused-policy":
      case "reload":
      case "resend":
      case "other":
        return;
    }
  }

  function changed(): void {
    if (!isComplete) return;
    if (unsaved.jails) saved.jailsChanged();
    if (unsaved.spared) saved.sparedChanged();
    [unsaved.jails, unsaved.spared] = [false, false];
    for (const listener of listeners) listener();
  }

  function onEvent(event: MirrorEvent<Setting>): void {
    switch (event.type) {
      case "loading":
        isComplete = false;
        noteBegun();
        return;
      case "put":
        learn(event.key, event.value);
        // A sign of life comes every other second, and changes nothing.
        if (event.value.type !== "leader") changed();
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
        spared.forgetLast();
        noteKnown();
        groups = undefined;
        changed();
        return;
    }
  }

  const present = () => (isKnown ? [...jails.values()] : last.jails);

  return {
    jails: present,
    isJailOf(jail, of) {
      groups ??= groupsOf(present());
      return groups.get(jail)?.(of) ?? true;
    },
    allowed: spared.allowed,
    whySpared(address, jail) {
      const entry = spared.allowed(address, jail);
      if (entry && (entry.until ?? Infinity) > Date.now())
        return `is allowlisted (${entry.address})`;
      const machine = spared.machineAt(address);
      return machine && `is or holds a machine of the fleet (${machine})`;
    },
    hasPolicy: () => (isKnown ? jails.size > 0 : last.hasPolicy),
    onDrill: (listener) => void drillListeners.push(listener),
    onSignOfLife: (listener) => void signListeners.push(listener),
    isKnown: () => isKnown,
    async known({ beginMs, readMs }) {
      const hasBegun = await isSettledWithin(begun, beginMs);
      if (hasBegun) await isSettledWithin(known, readMs);
    },
    readyFor: () => readyFor,
    onChange: (listener) => void listeners.push(listener),
    follow(connection) {
      mirrorBucket({ connection, bucket: SETTINGS_BUCKET, decode: decodeSetting, onEvent, log });
    },
  };
}

const isSettledWithin = (promise: Promise<void>, ms: number): Promise<boolean> =>
  Promise.race([promise.then(() => true), sleep(ms, false, { ref: false })]);

const groupsOf = (jails: readonly Jail[]) =>
  new Map(jails.flatMap(({ name, hosts }) => (hosts ? [[name, createHostGroup(hosts)]] : [])));
