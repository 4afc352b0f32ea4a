/** The jails of this host: those that it is to have, and those whose rules and sets the kernel has. */
import type { Jail } from "../../wire/settings.ts";
import type { Firewall } from "./firewall/firewall.ts";

export class JailSets {
  readonly #firewall: Pick<Firewall, "open">;
  #wanted: readonly Jail[];
  /** Names of the jails whose sets the kernel has. */
  #open: ReadonlySet<string>;

  constructor(firewall: Pick<Firewall, "open">, wanted: readonly Jail[], open: readonly Jail[]) {
    this.#firewall = firewall;
    this.#wanted = wanted;
    this.#open = namesOf(open);
  }

  /** Returns whether these jails, or their ports, are others than before. */
  want(jails: readonly Jail[]): boolean {
    const isOther = JSON.stringify(jails) !== JSON.stringify(this.#wanted);
    if (isOther) this.#wanted = jails;
    return isOther;
  }

  areAllOpen(): boolean {
    return this.#wanted.every(({ name }) => this.#open.has(name));
  }

  /** Whether the jail is this host's, and the kernel does not have its sets yet. */
  isToBeOpened(jail: string): boolean {
    return !this.#open.has(jail) && this.#wanted.some(({ name }) => name === jail);
  }

  /** Returns the names of the jails that are new: a new set is empty, the others keep their bans. */
  async open(): Promise<ReadonlySet<string>> {
    const before = this.#open;
    const jails = this.#wanted;
    await this.#firewall.open(jails);
    this.#open = namesOf(jails);
    return new Set([...this.#open].filter((name) => !before.has(name)));
  }
}

const namesOf = (jails: readonly Jail[]): ReadonlySet<string> =>
  new Set(jails.map(({ name }) => name));
