/**
 * Addresses of the fleet's own machines: every host as it reports them, the coordinators, the
 * servers of NATS and PostgreSQL that the coordinators use, and where people use the CLI. No
 * automatic ban may touch them. A monitoring script with an old password must not cut a host off
 * from its fleet, nor an operator's own mail client the operator from the mail.
 *
 * The settings bucket keeps the addresses, so a coordinator knows those of silent hosts and of the
 * other coordinators, and knows all of them before it decides for the first time.
 *
 * A host can report any address as its own, so only single addresses count, never networks.
 */
import { createAddressTrie } from "../../wire/address-trie.ts";
import { addressToken, isNetwork, type Address } from "../../wire/address.ts";
import { encodeMachine, type Machine, type Setting } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { machineKey } from "../../wire/subjects.ts";
import type { Settings } from "../buckets/settings-store.ts";

export type OwnAddress = Machine["addresses"][number];

export interface OwnMachines {
  /** An address of a machine of the fleet that is, or lies in, `address`. */
  find(address: Address): OwnAddress | undefined;
  /** The settings bucket has this under the key now; undefined: nothing. */
  noteSetting(key: string, setting: Setting | undefined): void;
  noteStatus(status: HostStatus): void;
  /** The fleet's hosts, as the settings bucket has them, and when each entry was written. */
  hosts(): ReadonlyMap<string, number>;
  /** Writes what hosts report into the settings bucket: for the coordinator that decides. */
  publishHosts(settings: Pick<Settings, "write" | "erase">): Promise<void>;
  /** Writes what this coordinator has found of itself and its servers: for every coordinator. */
  publishOwn(settings: Pick<Settings, "write">, own: OwnSurroundings): Promise<void>;
  /** Somebody asks from this address: it counts for an hour. */
  noteCli(settings: Pick<Settings, "write">, who: string, address: Address): Promise<void>;
  /** The host is no more. */
  forgetHost(settings: Pick<Settings, "erase">, host: string): Promise<void>;
}

export interface OwnSurroundings {
  /** The name of the coordinator's machine, one token. */
  machine: string;
  addresses: readonly OwnAddress[];
}

export interface OwnMachinesOptions {
  /** Is the host in quarantine? The addresses that it reports are not believed. */
  isQuarantined: (host: string) => boolean;
  now: () => number;
}

/** A coordinator writes its addresses again after this time, so that its entry stays fresh. */
const WRITE_AGAIN_AFTER_MS = 3_600_000;
/** The entry of a coordinator that is no more counts no longer than this. */
const STALE_AFTER_MS = 86_400_000;
/** The address of a CLI counts so long after its last request. */
const CLI_STALE_AFTER_MS = 3_600_000;
/** A CLI that asks again and again has its entry written again after this time. */
const CLI_WRITE_AGAIN_AFTER_MS = 600_000;
const MAX_ADDRESSES = 256;
/** As many addresses of one name are spared at a time: whoever asks says themselves from where. */
const MAX_ADDRESSES_OF_CLI = 8;

export function createOwnMachines({ isQuarantined, now }: OwnMachinesOptions): OwnMachines {
  /** Addresses that hosts have reported since the start, by the key of the settings bucket. */
  const reported = new Map<string, { addresses: readonly OwnAddress[] }>();
  const stored = new Map<string, Machine>();
  let trie = createAddressTrie<OwnAddress>();
  let isTrieOld = false;

  const isStale = (key: string, { seenAt }: Machine) => {
    if (key.startsWith(machineKey("coordinator", ""))) return seenAt < now() - STALE_AFTER_MS;
    return key.startsWith(machineKey("cli", "")) && seenAt < now() - CLI_STALE_AFTER_MS;
  };

  const hostOf = (key: string): string | undefined => {
    const prefix = machineKey("host", "");
    return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
  };

  /** Coordinators and servers come last: where a host has the address of one, too, that is named. */
  function* addresses(): Iterable<OwnAddress> {
    const known = [...new Map([...stored, ...reported])].sort(([a], [b]) => (a > b ? -1 : 1));
    for (const [key, { addresses }] of known) {
      const host = hostOf(key);
      if (host === undefined || !isQuarantined(host)) yield* addresses;
    }
  }

  function countOf(what: string): number {
    return [...stored.values()].filter(({ addresses }) => addresses[0]?.what === what).length;
  }

  function rebuild(): void {
    trie = createAddressTrie<OwnAddress>();
    for (const each of addresses()) trie.set(each.address, each);
    isTrieOld = false;
  }

  return {
    find(address) {
      if (isTrieOld) rebuild();
      return trie.find(address);
    },

    noteSetting(key, setting) {
      if (key.startsWith("quarantine.")) isTrieOld = true;
      if (!key.startsWith("machine.")) return;
      if (setting?.type === "machine" && !isStale(key, setting.machine)) {
        stored.set(key, setting.machine);
      } else stored.delete(key);
      isTrieOld = true;
    },

    noteStatus({ host, addresses }) {
      const key = machineKey("host", host);
      const own = addresses
        .filter((address) => !isNetwork(address))
        .map((address) => ({ address, what: `host ${host}` }));
      if (hasSame(reported.get(key)?.addresses, own)) return;
      reported.set(key, { addresses: own });
      isTrieOld = true;
    },

    hosts() {
      const found = new Map<string, number>();
      for (const [key, { seenAt }] of stored) {
        const host = hostOf(key);
        if (host !== undefined) found.set(host, seenAt);
      }
      return found;
    },

    async publishHosts(settings) {
      for (const [key, { addresses }] of reported) {
        const value: Machine = { v: 1, addresses: [...addresses], seenAt: now() };
        await settings.write(
          key,
          encodeMachine(value),
          (present) =>
            present.type === "machine" &&
            (hasSame(present.machine.addresses, addresses) || isFresh(present.machine, now())),
        );
      }
      for (const [key, each] of stored) if (isStale(key, each)) await settings.erase(key);
    },

    async publishOwn(settings, { machine, addresses }) {
      const value: Machine = {
        ...{ v: 1, seenAt: now() },
        addresses: addresses.slice(0, MAX_ADDRESSES),
      };
      const isSame = (present: Setting) =>
        present.type === "machine" &&
        hasSame(present.machine.addresses, value.addresses) &&
        present.machine.seenAt > now() - WRITE_AGAIN_AFTER_MS;
      await settings.write(machineKey("coordinator", machine), encodeMachine(value), isSame);
    },

    async noteCli(settings, who, address) {
      if (isNetwork(address) || whyNeverRemote(address) !== undefined) return;
      const key = machineKey("cli", addressToken(address));
      const what = `${who}'s CLI`;
      const isWritten = ({ seenAt }: Machine) => seenAt > now() - CLI_WRITE_AGAIN_AFTER_MS;
      const known = stored.get(key);
      if (known ? isWritten(known) : countOf(what) >= MAX_ADDRESSES_OF_CLI) return;
      const value: Machine = { v: 1, addresses: [{ address, what }], seenAt: now() };
      await settings.write(
        key,
        encodeMachine(value),
        (present) => present.type === "machine" && isWritten(present.machine),
      );
    },

    async forgetHost(settings, host) {
      const key = machineKey("host", host);
      reported.delete(key);
      isTrieOld = true;
      if (stored.has(key)) await settings.erase(key);
    },
  };
}

/** Somebody who reports other addresses every moment is written down once in a minute. */
const APART_MS = 60_000;
const isFresh = ({ seenAt }: Machine, now: number) => seenAt > now - APART_MS;

function hasSame(known: readonly OwnAddress[] | undefined, wanted: readonly OwnAddress[]): boolean {
  return (
    known?.length === wanted.length &&
    known.every(({ address, what }, index) => {
      const other = wanted[index];
      return address === other?.address && what === other.what;
    })
  );
}
