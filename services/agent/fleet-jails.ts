/**
 * The fleet's jails, and which hosts they are for. Until the settings bucket has been read, they are
 * the jails that this host knew last.
 */
import { createHostGroup } from "../wire/host-pattern.ts";
import type { Jail } from "../wire/settings.ts";
import type { LastSettings } from "./saved-settings.ts";

/** By the name of the jail: is it for this host? Jails that are for all hosts are not in it. */
type HostGroups = ReadonlyMap<string, (host: string) => boolean>;

export class FleetJails {
  readonly #last: Pick<LastSettings, "jails" | "hasPolicy">;
  /** By their keys in the bucket. */
  readonly #jails = new Map<string, Jail>();
  #isRead = false;
  /** undefined: to be made again, because the jails have changed. */
  #groups: HostGroups | undefined;

  constructor(last: Pick<LastSettings, "jails" | "hasPolicy">) {
    this.#last = last;
  }

  set(key: string, jail: Jail): void {
    this.#jails.set(key, jail);
    this.#groups = undefined;
  }

  /** Was there such a jail? */
  delete(key: string): boolean {
    this.#groups = undefined;
    return this.#jails.delete(key);
  }

  /** The bucket is read as a whole: what was known from before counts no more. */
  forgetLast(): void {
    this.#isRead = true;
    this.#groups = undefined;
  }

  present(): readonly Jail[] {
    return this.#isRead ? [...this.#jails.values()] : this.#last.jails;
  }

  /** Those of the bucket, as far as it is read. */
  ofBucket(): Iterable<Jail> {
    return this.#jails.values();
  }

  hasPolicy(): boolean {
    return this.#isRead ? this.#jails.size > 0 : this.#last.hasPolicy;
  }

  isJailOf(jail: string, host: string): boolean {
    this.#groups ??= groupsOf(this.present());
    return this.#groups.get(jail)?.(host) ?? true;
  }
}

const groupsOf = (jails: readonly Jail[]): HostGroups =>
  new Map(jails.flatMap(({ name, hosts }) => (hosts ? [[name, createHostGroup(hosts)]] : [])));
