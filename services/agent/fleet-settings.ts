/**
 * What the coordinator has set for the fleet, as this host knows it: jails and
 * allowlist. The last known jails are kept on disk, so the rules stand at boot
 * before NATS can be reached.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../nats/bucket-mirror.ts";
import { createListeners } from "../process/listeners.ts";
import { withResolvers } from "../process/with-resolvers.ts";
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
import { placeOfAllowKey, READY_KEY, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { FleetJails } from "./fleet-jails.ts";
import { createSavedSettings, type LastSettings, type SavedSettings } from "./saved-settings.ts";
import type { StateHealth } from "./state/state-health.ts";
import { createSparedAddresses, type SparedAddresses } from "./spared-addresses.ts";

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
  /** Calls `listener` when a coordinator asks every agent for its status. */
  onRollCall(listener: () => void): void;
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
  /** Whether what this host knows can be kept on disk. */
  state: StateHealth;
  /** What this host knew last. */
  last: LastSettings;
  log: Log;
  host: string;
  /** Names this start of the agent. */
  instance: string;
  /** Another agent is at work under this host's name, and this one must end. */
  onDuplicate: (notice: DuplicateNotice) => void;
}

type Phase =
  /** The bucket was not read to its end since this start; what this host knew last counts. */
  | "unread"
  /** The bucket's settings count; changes arrive as they are made. */
  | "read"
  /** The bucket is read again, after a reconnect or a loss; what is known of it counts meanwhile. */
  | "reading-again";

export function createFleetSettings(options: FleetSettingsOptions): FleetSettings {
  const settings = new FollowedSettings(options);
  const { jails, spared } = settings;
  return {
    jails: () => jails.present(),
    isJailOf: (jail, host) => jails.isJailOf(jail, host),
    allowed: spared.allowed,
    whySpared: (address, jail) => settings.whySpared(address, jail),
    hasPolicy: () => jails.hasPolicy(),
    onRollCall: settings.rollCalls.add,
    onDrill: settings.drills.add,
    onSignOfLife: settings.signs.add,
    isKnown: () => settings.isKnown(),
    known: (within) => settings.known(within),
    readyFor: () => settings.readyFor,
    onChange: settings.changes.add,
    follow: (connection) => settings.follow(connection),
  };
}

class FollowedSettings {
  readonly #options: FleetSettingsOptions;
  readonly jails: FleetJails;
  readonly spared: SparedAddresses;
  readonly #saved: SavedSettings;
  /** What has changed since it was kept on disk. */
  #unsaved = { jails: true, spared: true };
  readyFor: string | null = null;
  #phase: Phase = "unread";
  readonly #begun = withResolvers();
  readonly #known = withResolvers();
  readonly changes = createListeners<[]>();
  readonly drills = createListeners<[Drill]>();
  readonly signs = createListeners<[SignOfLife]>();
  readonly rollCalls = createListeners<[]>();

  constructor(options: FleetSettingsOptions) {
    const { stateDir, state, last } = options;
    this.#options = options;
    this.jails = new FleetJails(last);
    this.spared = createSparedAddresses(last);
    this.#saved = createSavedSettings({
      ...{ stateDir, state, jails: () => this.jails.ofBucket() },
      ...{ allowed: this.spared.allowlist, machines: this.spared.machines },
    });
  }

  follow(connection: NatsConnection): void {
    mirrorBucket({
      ...{ connection, bucket: SETTINGS_BUCKET, decode: decodeSetting },
      onEvent: (event) => this.#onEvent(event),
      log: this.#options.log,
    });
  }

  isKnown(): boolean {
    return this.#phase === "read" || this.#phase === "reading-again";
  }

  async known({ beginMs, readMs }: { beginMs: number; readMs: number }): Promise<void> {
    const hasBegun = await isSettledWithin(this.#begun.promise, beginMs);
    if (hasBegun) await isSettledWithin(this.#known.promise, readMs);
  }

  whySpared(address: Address, jail: string): string | undefined {
    const entry = this.spared.allowed(address, jail);
    if (entry && (entry.until ?? Infinity) > Date.now()) return `is allowlisted (${entry.address})`;
    const machine = this.spared.machineAt(address);
    return machine && `is or holds a machine of the fleet (${machine})`;
  }

  #onEvent(event: MirrorEvent<Setting>): void {
    switch (event.type) {
      case "loading":
        if (this.#phase === "read") this.#phase = "reading-again";
        this.#begun.resolve();
        return;
      case "put":
        this.#learn(event.key, event.value);
        // A sign of life comes every other second, and changes nothing. Neither does a roll call.
        if (event.value.type === "leader" || event.value.type === "roll-call") return;
        this.#reportChange();
        return;
      case "deleted":
      case "rolled-back":
        this.#forget(event.key);
        this.#reportChange();
        return;
      case "unreadable": {
        const { key, reason } = event;
        this.#options.log.error({ key, reason }, "setting cannot be decoded");
        return;
      }
      case "live":
        this.#phase = "read";
        this.spared.forgetLast();
        this.jails.forgetLast();
        this.#known.resolve();
        this.#reportChange();
        return;
    }
  }

  #learn(key: string, setting: Setting): void {
    switch (setting.type) {
      case "jail":
        this.jails.set(key, setting.jail);
        this.#unsaved.jails = true;
        return;
      case "allowed":
        this.spared.allow(setting.entry);
        this.#unsaved.spared = true;
        return;
      case "machine":
        this.spared.setMachine(key, setting.machine);
        this.#unsaved.spared = true;
        return;
      case "leader":
        this.signs.call(setting.sign);
        return;
      case "roll-call":
        this.rollCalls.call();
        return;
      case "ready":
        this.readyFor = setting.bansCreated;
        return;
      case "duplicate-agents":
        this.#noteDuplicate(setting.host, setting.refused);
        return;
      case "drill":
        // What was commanded before this agent was at work is over.
        if (setting.host !== this.#options.host || this.#phase !== "read") return;
        this.drills.call(setting.drill);
        return;
      case "jail-setting":
      case "jail-pause":
      case "quarantine":
      case "broken-logins":
      case "refused-policy":
      case "reload":
      case "resend":
      case "other":
        return;
    }
  }

  #noteDuplicate(of: string, notice: DuplicateNotice): void {
    const { host, instance, onDuplicate } = this.#options;
    if (of === host && notice.instances.includes(instance)) onDuplicate(notice);
  }

  #forget(key: string): void {
    if (this.jails.delete(key)) this.#unsaved.jails = true;
    const place = placeOfAllowKey(key);
    if (place) this.spared.disallow(place);
    if (place || this.spared.deleteMachine(key)) this.#unsaved.spared = true;
    if (key === READY_KEY) this.readyFor = null;
  }

  /** Keeps on disk what has changed, and tells everybody. Nobody acts by a bucket that is read in part. */
  #reportChange(): void {
    if (this.#phase !== "read") return;
    if (this.#unsaved.jails) this.#saved.jailsChanged();
    if (this.#unsaved.spared) this.#saved.sparedChanged();
    this.#unsaved = { jails: false, spared: false };
    this.changes.call();
  }
}

const isSettledWithin = (promise: Promise<void>, ms: number): Promise<boolean> =>
  Promise.race([promise.then(() => true), sleep(ms, false, { ref: false })]);
