/**
 * What the settings bucket holds, as far as this coordinator knows, and what must be written again:
 * somebody who is no coordinator has changed it, or NATS has lost it.
 */
import type { MirrorEvent } from "../../nats/bucket-mirror.ts";
import { createAllowlist, type Allowlist } from "../../policy/allowlist.ts";
import type { Log } from "../../process/log.ts";
import {
  encodeAllowed,
  encodeJailPause,
  encodeJailSetting,
  encodeQuarantine,
  type Setting,
} from "../../wire/settings.ts";
import { placeOfAllowKey } from "../../wire/subjects.ts";

export interface SettingsCopyOptions {
  /** Hears of every entry that is read or changes; undefined: it is gone. */
  onSetting?: ((key: string, setting: Setting | undefined) => void) | undefined;
  log: Log;
}

export class SettingsCopy {
  readonly allowlist: Allowlist = createAllowlist();
  readonly #options: SettingsCopyOptions;
  /** What stands under each key, as it was last readable. */
  readonly #settings = new Map<string, Setting>();
  /** Keys of entries that somebody who is no coordinator has written over. */
  readonly #unreadable = new Set<string>();
  /** Entries that operators have made and NATS has lost, by key. */
  readonly #lost = new Map<string, Setting>();
  #isTampered = false;

  constructor(options: SettingsCopyOptions) {
    this.#options = options;
  }

  /** What stands under the key, as it was last readable. */
  get(key: string): Setting | undefined {
    return this.#settings.get(key);
  }

  isReadable(key: string): boolean {
    return !this.#unreadable.has(key);
  }

  *keysOf(type: Setting["type"]): Iterable<string> {
    for (const [key, setting] of this.#settings) if (setting.type === type) yield key;
  }

  put(key: string, setting: Setting): void {
    this.#settings.set(key, setting);
    this.#unreadable.delete(key);
    if (setting.type === "allowed") this.allowlist.set(setting.entry);
    this.#options.onSetting?.(key, setting);
  }

  delete(key: string): void {
    this.#settings.delete(key);
    this.#unreadable.delete(key);
    const place = placeOfAllowKey(key);
    if (place) this.allowlist.delete(place);
    this.#options.onSetting?.(key, undefined);
  }

  onEvent(event: MirrorEvent<Setting>): void {
    switch (event.type) {
      case "loading":
      case "live":
        return;
      case "put":
        this.put(event.key, event.value);
        return;
      case "deleted":
        // Only a coordinator with another configuration deletes an entry of the configuration.
        if (this.#settings.get(event.key)?.type === "jail") this.#isTampered = true;
        this.delete(event.key);
        return;
      case "rolled-back":
        if (isOfOperator(event.previous)) this.#lost.set(event.key, event.previous);
        this.#isTampered = true;
        this.delete(event.key);
        return;
      case "unreadable": {
        const { key, reason } = event;
        this.#options.log.error({ key, reason }, "setting was modified by an unauthorized writer");
        this.#isTampered = true;
        this.#unreadable.add(key);
        return;
      }
    }
  }

  takeTampered(): boolean {
    const taken = this.#isTampered;
    this.#isTampered = false;
    return taken;
  }

  /** Entries that an operator has made, and that somebody has written over, or NATS has lost. */
  *damagedOfOperators(): Iterable<[key: string, bytes: Uint8Array]> {
    for (const key of this.#unreadable) {
      const bytes = encodeOfOperator(this.#settings.get(key));
      if (bytes) yield [key, bytes];
    }
    for (const [key, setting] of this.#lost) {
      const bytes = encodeOfOperator(setting);
      if (bytes && !this.#settings.has(key)) yield [key, bytes];
      this.#lost.delete(key); // It is written again by now.
    }
  }
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
