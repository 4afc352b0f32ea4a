/**
 * What is asked of all bans together: which are held, how many are due, which come next in the order
 * of their keys, which lie in a network, and which have ended. There may be a million bans, so each
 * event of the bucket changes the answers, and no question looks at every ban.
 */
import type { MirrorEvent } from "../../nats/bucket-mirror.ts";
import { isNetwork, networksAround, type Address } from "../../wire/address.ts";
import type { Ban } from "../../wire/ban.ts";
import { banKey, banKeyPrefix, jailOfBanKey } from "../../wire/subjects.ts";
import { BanCensus, type CountedBans } from "./ban-census.ts";
import { BanEnds } from "./ban-ends.ts";
import { SortedList } from "./sorted-list.ts";
import { tokenPrefixesOf } from "./token-prefixes.ts";

/** Which bans are looked for; all that is given holds of them. */
export interface BanPlace {
  jail?: string | undefined;
  /** The bans have an address in common with this address or network. */
  address?: Address | undefined;
  /** The bans are of this address, or of addresses and networks within this network. */
  within?: Address | undefined;
}

export class BanIndex {
  readonly #held = new Map<string, Ban>();
  readonly #keys = new SortedList<string>((a, b) => a < b);
  readonly #census = new BanCensus();
  readonly #ends = new BanEnds();

  /** Every event of the bucket, in order. */
  note(event: MirrorEvent<Ban>): void {
    if (event.type === "loading" || event.type === "live") return;
    const { key, previous } = event;
    if (previous) {
      this.#census.remove(previous);
      this.#ends.remove(previous);
    }
    if (event.type !== "put") {
      this.#held.delete(key);
      this.#keys.delete(key);
      return;
    }
    this.#census.add(event.value);
    this.#ends.add(event.value);
    if (!previous) this.#keys.add(key);
    if (isAnyHeld(event.value)) this.#held.set(key, event.value);
    else this.#held.delete(key);
  }

  /** Bans that are held, or were until their time was over. */
  held(): Iterable<Ban> {
    return this.#held.values();
  }

  /**
   * The keys behind `after` in their order, of one jail or of all, in parts; null: from the first one.
   * They may change meanwhile.
   */
  *keysBehind(after: string | null, jail?: string): Generator<readonly string[]> {
    const prefix = jail === undefined ? "" : banKeyPrefix(jail);
    const begin = after === null || after < prefix ? prefix : after;
    yield* this.#keysThatBegin(prefix, begin);
  }

  /**
   * The keys of all bans at the place, of some beside it, and of networks that nobody has banned, in
   * parts. No key comes twice.
   */
  *keysAt({ jail, address, within }: BanPlace): Generator<readonly string[]> {
    const network = address ?? within;
    if (network === undefined) {
      yield* this.keysBehind(null, jail);
      return;
    }
    const around = address === undefined ? [] : networksAround(address);
    for (const name of jail === undefined ? this.#jails() : [jail]) {
      const wider = new Set(around.map((each) => banKey(name, each)));
      yield [...wider];
      // Their keys may begin like those of the network.
      for (const keys of this.#keysWithin(name, network)) {
        yield wider.size === 0 ? keys : keys.filter((key) => !wider.has(key));
      }
    }
  }

  /** About how large a part of all bans `keysAt` leads to, 0 to 1; it is known at once. */
  shareAt({ jail, address, within }: BanPlace): number {
    const network = address ?? within;
    if (network === undefined)
      return this.#shareThatBegins(jail === undefined ? "" : banKeyPrefix(jail));
    if (!isNetwork(network)) return 0;
    const jails = jail === undefined ? [...this.#jails()] : [jail];
    const shares = jails.flatMap((name) =>
      tokenPrefixesOf(network).map((token) => this.#shareThatBegins(banKeyPrefix(name) + token)),
    );
    return shares.reduce((sum, share) => sum + share, 0);
  }

  overdueAt(now: number): Iterable<Ban> {
    return this.#ends.overdueAt(now);
  }

  atRestBefore(instantOf: (jail: string) => number): Iterable<Ban> {
    return this.#ends.atRestBefore(instantOf);
  }

  countDue(now: number): CountedBans[] {
    return this.#census.countDue(now);
  }

  countInForce(now: number): number {
    const active = this.countDue(now).filter(({ state }) => state === "active");
    return active.reduce((sum, { count }) => sum + count, 0);
  }

  *#keysWithin(jail: string, network: Address): Generator<readonly string[]> {
    if (!isNetwork(network)) {
      yield [banKey(jail, network)];
      return;
    }
    const ofJail = banKeyPrefix(jail);
    for (const token of tokenPrefixesOf(network)) {
      // The first address of a network may be the beginning and nothing more: "2001-db8--". No
      // character comes before "-", so nothing stands between what is cut here and the beginning.
      yield* this.#keysThatBegin(`${ofJail}${token}`, `${ofJail}${token.slice(0, -1)}`);
    }
  }

  *#keysThatBegin(prefix: string, after: string): Generator<readonly string[]> {
    for (const keys of this.#keys.behind(after)) {
      const isLast = keys.at(-1)?.startsWith(prefix) !== true;
      yield isLast ? keys.filter((key) => key.startsWith(prefix)) : keys;
      if (isLast) return;
    }
  }

  #shareThatBegins(prefix: string): number {
    return this.#keys.shareBetween(prefix, prefix + LAST_CHARACTER);
  }

  /** The jails that have entries, also those that the policy no longer has. */
  *#jails(): Generator<string> {
    let key = this.#keys.next("");
    while (key !== undefined) {
      const jail = jailOfBanKey(key);
      yield jail;
      key = this.#keys.next(`${banKeyPrefix(jail)}${LAST_CHARACTER}`);
    }
  }
}

/** No character of a key comes behind it. */
const LAST_CHARACTER = "\uffff";

/** A held ban, or a ban in force on some hosts whose widening is held, whether over or not. */
const isAnyHeld = ({ state, held }: Ban): boolean =>
  state === "held" || (state === "active" && held !== undefined);
