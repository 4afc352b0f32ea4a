/**
 * What the coordinator has set for the fleet, as this host knows it: jails and
 * allowlist. The last known jails are kept on disk, so the rules stand at boot
 * before NATS can be reached.
 */
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";
import { followBucket } from "../nats/follow-bucket.ts";
import type { Log } from "../daemon/log.ts";
import { overlaps, type Address } from "../wire/address.ts";
import { WireError } from "../wire/codec.ts";
import {
  decodeAllowed,
  decodeBucketReady,
  decodeJail,
  decodeRefusedAgents,
  jail as jailSchema,
  type Allowed,
  type Jail,
  type RefusedAgents,
} from "../wire/settings.ts";
import { READY_KEY, refusedKey, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { readState, writeState } from "./state-file.ts";

export interface FleetSettings {
  jails(): Jail[];
  /** The allowlist's entry that has an address in common with `address`. */
  allowed(address: Address): Allowed | undefined;
  /** The bans bucket (by its creation time) that is declared complete; null: none. */
  readyFor(): string | null;
  stop(): void;
}

export interface FleetSettingsOptions {
  connection: NatsConnection;
  stateDir: string;
  log: Log;
  host: string;
  /** Names this start of the agent. */
  instance: string;
  /** Another agent is at work under this host's name, and this one must end. */
  onRefused: (by: RefusedAgents) => void;
  /** Called once when everything was read, then with every change. */
  onChange: () => void;
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

export function followFleetSettings(options: FleetSettingsOptions): FleetSettings {
  const { connection, stateDir, log, host, instance, onRefused, onChange } = options;
  const jails = new Map<string, Jail>();
  const allowed = new Map<string, Allowed>();
  let readyFor: string | null = null;
  let complete = false;
  let unseen = new Set<string>();

  function forget(key: string): void {
    jails.delete(key);
    allowed.delete(key);
    if (key === READY_KEY) readyFor = null;
  }

  function learn(key: string, value: Uint8Array): void {
    if (key === READY_KEY) readyFor = decodeBucketReady(value, key).bansCreated;
    else if (key.startsWith("jail.")) jails.set(key, decodeJail(value, key));
    else if (key.startsWith("allow.")) allowed.set(key, decodeAllowed(value, key));
    else if (key === refusedKey(host)) {
      const refused = decodeRefusedAgents(value, key);
      if (refused.instances.includes(instance)) onRefused(refused);
    }
  }

  function changed(): void {
    if (!complete) return;
    const encoded = z.encode(z.array(jailSchema), [...jails.values()]);
    writeState(settingsPath(stateDir), encoded).catch((error: unknown) => {
      log.error({ err: error }, "jails cannot be kept on disk");
    });
    onChange();
  }

  const following = followBucket(
    { connection, bucket: SETTINGS_BUCKET, log },
    {
      begin() {
        unseen = new Set([...jails.keys(), ...allowed.keys(), READY_KEY]);
        complete = false;
      },
      entry({ key, value }) {
        unseen.delete(key);
        try {
          if (value === undefined) forget(key);
          else learn(key, value);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          log.error({ key, reason: error.message }, "setting cannot be decoded");
        }
        changed();
      },
      caughtUp(missing) {
        if (missing === 0) for (const key of unseen) forget(key);
        complete = true;
        changed();
      },
    },
  );

  return {
    jails: () => [...jails.values()],
    allowed(address) {
      for (const entry of allowed.values()) if (overlaps(entry.address, address)) return entry;
      return undefined;
    },
    readyFor: () => readyFor,
    stop: () => following.stop(),
  };
}
