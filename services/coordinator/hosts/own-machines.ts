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
import { createAddressTrie, type AddressTrie } from "../../wire/address-trie.ts";
import { addressToken, isNetwork, type Address } from "../../wire/address.ts";
import { encodeMachine, type Machine, type Setting } from "../../wire/settings.ts";
import { HOST_SILENT_AFTER_MS, type HostStatus } from "../../wire/status.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { machineKey, nameOfMachineKey, type MachineKind } from "../../wire/subjects.ts";
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
/** A host that reports other addresses every moment is written down once in a minute. */
const APART_MS = 60_000;
/** An address counts for this long after the last request of a CLI there. */
const CLI_STALE_AFTER_MS = 3_600_000;
/** A CLI that asks again and again has its entry written again after this time. */
const CLI_WRITE_AGAIN_AFTER_MS = 600_000;
const MAX_ADDRESSES = 256;
/** As many addresses of one name are spared at a time: whoever asks says themselves from where. */
const MAX_ADDRESSES_OF_CLI = 8;

export function createOwnMachines(options: OwnMachinesOptions): OwnMachines {
  return new KnownMachines(options);
}

interface Reported {
  addresses: OwnAddress[];
  /** By our clock, epoch milliseconds. */
  heardAt: number;
}

/** Where several machines have an address, the last of these kinds names it. */
const KINDS: readonly MachineKind[] = ["cli", "host", "coordinator"];

const isOfKind = (key: string, kind: MachineKind) => nameOfMachineKey(kind, key) !== undefined;
const hostOf = (key: string) => nameOfMachineKey("host", key);

class KnownMachines implements OwnMachines {
  readonly #options: OwnMachinesOptions;
  /** Addresses that hosts have reported since the start, by the key of the settings bucket. */
  readonly #reported = new Map<string, Reported>();
  /** By key, what the settings bucket has. */
  readonly #stored = new Map<string, Machine>();
  /** The last round of publishHosts. */
  #publishing: Promise<void> = Promise.resolve();
  /** undefined: it is to be built again. */
  #trie: AddressTrie<OwnAddress> | undefined;

  constructor(options: OwnMachinesOptions) {
    this.#options = options;
  }

  find(address: Address): OwnAddress | undefined {
    this.#trie ??= this.#buildTrie();
    return this.#trie.find(address);
  }

  noteSetting(key: string, setting: Setting | undefined): void {
    if (key.startsWith("quarantine.")) this.#trie = undefined;
    if (!key.startsWith("machine.")) return;
    if (setting?.type === "machine") this.#stored.set(key, setting.machine);
    else this.#stored.delete(key);
    this.#trie = undefined;
  }

  noteStatus({ host, addresses }: HostStatus): void {
    const key = machineKey("host", host);
    const own = addresses
      .filter((address) => !isNetwork(address))
      .map((address) => ({ address, what: `host ${host}` }));
    const isKnown = hasSame(this.#reported.get(key)?.addresses, own);
    this.#reported.set(key, { addresses: own, heardAt: this.#options.now() });
    if (!isKnown) this.#trie = undefined;
  }

  hosts(): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const [key, { seenAt }] of this.#stored) {
      const host = hostOf(key);
      if (host !== undefined) found.set(host, seenAt);
    }
    return found;
  }

  publishHosts(settings: Pick<Settings, "write" | "erase">): Promise<void> {
    this.#publishing = this.#publishHosts(settings);
    return this.#publishing;
  }

  async #publishHosts(settings: Pick<Settings, "write" | "erase">): Promise<void> {
    const { now } = this.#options;
    for (const [key, { addresses, heardAt }] of this.#reported) {
      // One that is silent may have been removed through another coordinator.
      if (heardAt <= now() - HOST_SILENT_AFTER_MS) continue;
      await write(settings, key, { v: 1, addresses: [...addresses], seenAt: now() }, (present) => {
        return hasSame(present.addresses, addresses) || present.seenAt > now() - APART_MS;
      });
    }
    for (const [key, each] of this.#stored) {
      if (this.#isStale(key, each)) await settings.erase(key);
    }
  }

  async publishOwn(settings: Pick<Settings, "write">, own: OwnSurroundings): Promise<void> {
    const { now } = this.#options;
    const addresses = own.addresses.slice(0, MAX_ADDRESSES);
    const key = machineKey("coordinator", own.machine);
    await write(settings, key, { v: 1, addresses, seenAt: now() }, (present) => {
      const isFresh = present.seenAt > now() - WRITE_AGAIN_AFTER_MS;
      return isFresh && hasSame(present.addresses, addresses);
    });
  }

  async noteCli(settings: Pick<Settings, "write">, who: string, address: Address): Promise<void> {
    if (isNetwork(address) || whyNeverRemote(address) !== undefined) return;
    const { now } = this.#options;
    const key = machineKey("cli", addressToken(address));
    const what = `${who}'s CLI`;
    const isWritten = ({ seenAt }: Machine) => seenAt > now() - CLI_WRITE_AGAIN_AFTER_MS;
    const known = this.#stored.get(key);
    if (known ? isWritten(known) : this.#countOf(what) >= MAX_ADDRESSES_OF_CLI) return;
    await write(settings, key, { v: 1, addresses: [{ address, what }], seenAt: now() }, isWritten);
  }

  async forgetHost(settings: Pick<Settings, "erase">, host: string): Promise<void> {
    const key = machineKey("host", host);
    this.#reported.delete(key);
    this.#trie = undefined;
    // What the round writes of the host must not come after this.
    await this.#publishing.catch(() => {});
    await settings.erase(key);
  }

  #isStale(key: string, { seenAt }: Machine): boolean {
    const { now } = this.#options;
    if (isOfKind(key, "coordinator")) return seenAt < now() - STALE_AFTER_MS;
    return isOfKind(key, "cli") && seenAt < now() - CLI_STALE_AFTER_MS;
  }

  /** What counts of the settings bucket. Entries that are stale stay there until a leader erases them. */
  #current(): [string, Machine][] {
    return [...this.#stored].filter(([key, each]) => !this.#isStale(key, each));
  }

  #countOf(what: string): number {
    return this.#current().filter(([, { addresses }]) => addresses[0]?.what === what).length;
  }

  #buildTrie(): AddressTrie<OwnAddress> {
    const trie = createAddressTrie<OwnAddress>();
    const all = new Map<string, Pick<Machine, "addresses">>([
      ...this.#current(),
      ...this.#reported,
    ]);
    const known = [...all].toSorted(([a], [b]) => (a > b ? -1 : 1));
    for (const kind of KINDS) {
      for (const [key, { addresses }] of known) {
        const host = hostOf(key);
        const isBelieved = host === undefined || !this.#options.isQuarantined(host);
        if (!isOfKind(key, kind) || !isBelieved) continue;
        for (const each of addresses) trie.set(each.address, each);
      }
    }
    return trie;
  }
}

async function write(
  settings: Pick<Settings, "write">,
  key: string,
  machine: Machine,
  isSame: (present: Machine) => boolean,
): Promise<void> {
  await settings.write(
    key,
    encodeMachine(machine),
    (present) => present.type === "machine" && isSame(present.machine),
  );
}

function hasSame(known: readonly OwnAddress[] | undefined, wanted: readonly OwnAddress[]): boolean {
  return (
    known?.length === wanted.length &&
    known.every(({ address, what }, index) => {
      const other = wanted[index];
      return address === other?.address && what === other.what;
    })
  );
}
