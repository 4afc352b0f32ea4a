/**
 * The settings bucket: what agents must know besides the bans. The coordinator
 * that decides writes into it what its configuration says; operators add to
 * the allowlist. Every coordinator follows it.
 */
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { followBucket } from "../nats/follow-bucket.ts";
import type { Log } from "../daemon/log.ts";
import type { Address } from "../wire/address.ts";
import { WireError } from "../wire/codec.ts";
import {
  decodeAllowed,
  decodeBucketReady,
  decodeJail,
  encodeAllowed,
  encodeBucketReady,
  encodeJail,
  encodeRefusedAgents,
  type Allowed,
  type Jail,
  type RefusedAgents,
} from "../wire/settings.ts";
import { allowKey, jailKey, READY_KEY, refusedKey, SETTINGS_BUCKET } from "../wire/subjects.ts";
import { createAllowlist, type Allowlist } from "./allowlist.ts";

export interface Settings {
  readonly allowlist: Allowlist;
  /** Writes what the configuration says, and removes what it no longer says. */
  publish(jails: readonly Jail[], allowed: readonly Address[]): Promise<void>;
  allow(entry: Allowed): Promise<void>;
  disallow(address: Address): Promise<void>;
  /** Tells agents which of them are refused, by host, and takes back what no longer holds. */
  refuse(refused: ReadonlyMap<string, RefusedAgents>): Promise<void>;
  /** Tells agents that the bans bucket created then is complete. */
  declareReady(bansCreated: string): Promise<void>;
  /** Which bans bucket was declared complete; null: none. */
  readyFor(): string | null;
  /** Has something been spoiled since the last call, that is to be published again? */
  takeSpoiled(): boolean;
  /** Resolves when everything has been read once. */
  readonly ready: Promise<void>;
  stop(): void;
}

export function openSettings(connection: NatsConnection, log: Log): Settings {
  const allowlist = createAllowlist();
  /** Addresses by key: a deleted entry no longer says which it was for. */
  const addresses = new Map<string, Address>();
  const jails = new Set<string>();
  /** What is written of refused agents, by key. */
  const refusals = new Map<string, string>();
  let readyFor: string | null = null;
  let isSpoiled = false;
  let settle: () => void = () => {};
  const ready = new Promise<void>((resolve) => (settle = resolve));
  let unseen = new Set<string>();

  function forget(key: string): void {
    const address = addresses.get(key);
    if (address !== undefined) allowlist.delete(address);
    addresses.delete(key);
    jails.delete(key);
    refusals.delete(key);
    if (key === READY_KEY) readyFor = null;
  }

  function learn(key: string, value: Uint8Array): void {
    if (key === READY_KEY) readyFor = decodeBucketReady(value, key).bansCreated;
    else if (key.startsWith("jail.")) {
      jails.add(key);
      decodeJail(value, key);
    } else if (key.startsWith(refusedKey(""))) refusals.set(key, Buffer.from(value).toString());
    else if (key.startsWith("allow.")) {
      const entry = decodeAllowed(value, key);
      addresses.set(key, entry.address);
      allowlist.set(entry);
    }
  }

  const following = followBucket(
    { connection, bucket: SETTINGS_BUCKET, log },
    {
      begin() {
        unseen = new Set([...addresses.keys(), ...jails, ...refusals.keys(), READY_KEY]);
      },
      entry({ key, value }) {
        unseen.delete(key);
        if (value === undefined) {
          // What the configuration has is deleted by nobody but a coordinator of another one.
          if (jails.has(key)) isSpoiled = true;
          forget(key);
          return;
        }
        try {
          learn(key, value);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          log.error({ key, reason: error.message }, "setting was spoiled by no coordinator");
          isSpoiled = true;
        }
      },
      caughtUp(missing) {
        if (missing === 0) for (const key of unseen) forget(key);
        settle();
      },
    },
  );

  const open = () => new Kvm(connection).open(SETTINGS_BUCKET);

  return {
    allowlist,
    ready,

    async publish(wanted, allowed) {
      const bucket = await open();
      for (const jail of wanted) await bucket.put(jailKey(jail.name), encodeJail(jail));
      const wantedKeys = new Set(wanted.map(({ name }) => jailKey(name)));
      for (const key of jails) if (!wantedKeys.has(key)) await bucket.delete(key);
      for (const [key, address] of addresses) {
        const entry = allowlist.list().find((each) => each.address === address);
        if (entry?.origin === "operator") await bucket.put(key, encodeAllowed(entry));
      }
      for (const entry of allowlist.list()) {
        if (entry.origin === "config" && !allowed.includes(entry.address)) {
          await bucket.delete(allowKey(entry.address));
        }
      }
      for (const address of allowed) {
        const addedAt = Date.now();
        const comment = "coordinator's configuration";
        const entry: Allowed = { v: 1, address, comment, addedAt, by: "config", origin: "config" };
        await bucket.put(allowKey(address), encodeAllowed(entry));
      }
    },

    async allow(entry) {
      await (await open()).put(allowKey(entry.address), encodeAllowed(entry));
      addresses.set(allowKey(entry.address), entry.address);
      allowlist.set(entry);
    },

    async disallow(address) {
      await (await open()).delete(allowKey(address));
      forget(allowKey(address));
    },

    async refuse(refused) {
      const wanted = new Map(
        [...refused].map(([host, agents]) => [refusedKey(host), encodeRefusedAgents(agents)]),
      );
      for (const key of [...refusals.keys()]) {
        if (!wanted.has(key)) await (await open()).delete(key);
      }
      for (const [key, value] of wanted) {
        const text = Buffer.from(value).toString();
        if (refusals.get(key) !== text) await (await open()).put(key, value);
        refusals.set(key, text);
      }
    },

    async declareReady(bansCreated) {
      await (await open()).put(READY_KEY, encodeBucketReady({ v: 1, bansCreated }));
      readyFor = bansCreated;
    },

    takeSpoiled() {
      const taken = isSpoiled;
      isSpoiled = false;
      return taken;
    },

    readyFor: () => readyFor,
    stop: () => following.stop(),
  };
}
