/**
 * Events that are sent as one message: the first of them whole, and totals of all. However many bans
 * an attack brings, a digest takes a bounded amount of memory, and its message stays readable.
 */
import { familyOf, networkOf, prefixOf, type Address } from "../../wire/address.ts";
import { eventId, type EventType, type NotifyEvent } from "./event.ts";

/** What a sink sends as one message. */
export interface Delivery {
  /** The same however often it is sent, and by whichever coordinator. */
  id: string;
  /** The event where there is one only. */
  events: readonly NotifyEvent[];
  totals: Totals;
  /** An operator tries the sink: nothing of it has happened. */
  isTest?: true;
}

export interface Totals {
  events: number;
  /** When the first and the last of them happened. */
  since: number;
  until: number;
  byType: ReadonlyMap<EventType, number>;
  byJail: ReadonlyMap<string, number>;
  /** The networks with the most banned addresses, the most first. */
  networks: readonly (readonly [network: Address, bans: number])[];
}

/** A digest has this many events whole. */
export const MOST_WHOLE = 20;
const MOST_NETWORKS = 10;
/** Beyond this many networks only those are counted that are known already. */
const MOST_COUNTED = 20_000;
const NETWORK_PREFIX = { 4: 24, 6: 48 } as const;

export class Digest {
  readonly #whole: NotifyEvent[] = [];
  readonly #byType = new Map<EventType, number>();
  readonly #byJail = new Map<string, number>();
  readonly #networks = new Map<Address, number>();
  #events = 0;
  #since = Infinity;
  #until = -Infinity;
  #last: NotifyEvent | undefined;

  get size(): number {
    return this.#events;
  }

  add(event: NotifyEvent): void {
    this.#events += 1;
    this.#last = event;
    if (this.#whole.length < MOST_WHOLE) this.#whole.push(event);
    this.#since = Math.min(this.#since, event.at);
    this.#until = Math.max(this.#until, event.at);
    raise(this.#byType, event.type);
    const { ban } = event;
    if (!ban || ban.state === "lifted" || ban.state === "expired") return;
    raise(this.#byJail, ban.jail);
    const network = networkAround(ban.address);
    const isCounted = this.#networks.size < MOST_COUNTED || this.#networks.has(network);
    if (isCounted) raise(this.#networks, network);
  }

  /** Only for a digest that is not empty. */
  delivery(): Delivery {
    const first = this.#whole[0];
    const isAlone = this.#events === 1;
    const id = isAlone
      ? (first?.id ?? "")
      : eventId("digest", first?.id ?? "", this.#last?.id ?? "");
    const networks = [...this.#networks].sort((a, b) => b[1] - a[1]).slice(0, MOST_NETWORKS);
    return {
      id,
      events: this.#whole,
      totals: {
        ...{ events: this.#events, since: this.#since, until: this.#until },
        ...{ byType: this.#byType, byJail: this.#byJail, networks },
      },
    };
  }
}

function raise<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function networkAround(address: Address): Address {
  const prefix = NETWORK_PREFIX[familyOf(address)];
  return prefixOf(address) <= prefix ? address : networkOf(address, prefix);
}
